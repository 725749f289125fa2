import { pipeline, type Readable, Transform } from 'node:stream';
import { HubError, userError } from '#kernel';
import type { EntityModel } from '../definitions/index.ts';
import type { BulkOperation, Json, Records, Rights, Values } from '../runtime/types.ts';
import { type ExchangeColumn, exchangeColumns, givenBy } from './columns.ts';
import { formatOf } from './formats.ts';
import type { FileRow } from './types.ts';

export interface ImportOptions {
  readonly format: string;
  /** Unique field by whose value a row's record is found: rows that have one change it, others make one. */
  readonly match?: string | undefined;
  /** Everything is tried and nothing kept. */
  readonly dryRun?: boolean;
  readonly onProgress?: (progress: { readonly rows: number; readonly failed: number }) => void;
}

export interface ImportProblem {
  readonly line: number;
  readonly column: string | null;
  readonly code: string;
  readonly message: string;
}

export interface ImportReport {
  readonly rows: number;
  readonly created: number;
  readonly updated: number;
  readonly failed: number;
  /** The first 1,000. */
  readonly problems: readonly ImportProblem[];
  /** Columns of the file that are no field, or not to be written. */
  readonly ignored: readonly string[];
}

const BATCH = 100;
const MAX_ROWS = 200_000;
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_PROBLEMS = 1000;

/**
 * Rows of a file become records, in batches that are stored whole; a row that is refused is left out and told with
 * its line, the others go on. A column `id` or `match` finds records that are there. Needs the right to import
 * besides those to create and update. Not atomic over the file: importing again with `match` goes on.
 * Errors: PERMISSION_DENIED, FORMAT_UNKNOWN, FILE_INVALID, LIMIT_EXCEEDED, MATCH_INVALID (user).
 */
export async function importRecords(
  records: Records,
  entity: EntityModel,
  content: Readable,
  options: ImportOptions,
): Promise<ImportReport> {
  const path = `${entity.app}.${entity.name}`;
  const rights = assertImportable(records, entity, options);
  const columns = new Map(
    exchangeColumns(entity, rights)
      .filter((column) => column.type !== 'system' && rights.fields[column.field] === 'write')
      .map((column) => [column.name, column]),
  );
  const tally = new Tally(options);
  let batch: FileRow[] = [];
  const flush = async (): Promise<void> => {
    await store(
      records,
      await operationsOf(records, path, batch, columns, options.match, tally),
      tally,
      options.dryRun === true,
    );
    batch = [];
  };
  for await (const row of formatOf(options.format).read(bounded(content))) {
    tally.row(row, columns);
    if (tally.rows > MAX_ROWS)
      throw userError(
        'LIMIT_EXCEEDED',
        `A file may have at most ${MAX_ROWS.toLocaleString('en')} rows.`,
        'Split it.',
      );
    batch.push(row);
    if (batch.length === BATCH) await flush();
  }
  if (batch.length > 0) await flush();
  return tally.report();
}

/** Everything that can be told before the first row is read. Errors: as `importRecords`. */
export function assertImportable(
  records: Records,
  entity: EntityModel,
  { format, match }: Pick<ImportOptions, 'format' | 'match'>,
): Rights {
  const rights = records.rights(`${entity.app}.${entity.name}`);
  if (!rights.import)
    throw userError(
      'PERMISSION_DENIED',
      `You may not import ${entity.plural}.`,
      'Ask for the right to import.',
    );
  if (entity.owner)
    throw userError(
      'IMPORT_INVALID',
      `${entity.plural} are written with the record they belong to.`,
      'Use the API.',
    );
  formatOf(format);
  assertMatch(entity, match);
  return rights;
}

/** The file as it comes, refused beyond its limit. */
function bounded(content: Readable): Readable {
  let bytes = 0;
  return pipeline(
    content,
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        if (bytes <= MAX_BYTES) done(null, chunk);
        else done(userError('LIMIT_EXCEEDED', 'A file may have at most 256 MiB.', 'Split it.'));
      },
    }),
    () => {},
  );
}

interface Planned {
  readonly line: number;
  readonly operation: BulkOperation;
}

function assertMatch(entity: EntityModel, match: string | undefined): void {
  if (match === undefined || match === 'id') return;
  const field = entity.fields.find((one) => one.name === match);
  if (!field || !('unique' in field && field.unique))
    throw userError(
      'MATCH_INVALID',
      `"${match}" is not a unique field of ${entity.plural}.`,
      'Name one, or use the column id.',
    );
}

async function operationsOf(
  records: Records,
  path: string,
  rows: readonly FileRow[],
  columns: ReadonlyMap<string, ExchangeColumn>,
  match: string | undefined,
  tally: Tally,
): Promise<Planned[]> {
  const known = await knownIds(records, path, rows, match);
  return rows.flatMap((row): Planned[] => {
    const values: Record<string, Json> = {};
    for (const [name, cell] of Object.entries(row.cells)) {
      const column = columns.get(name);
      if (!column) continue;
      try {
        const value = givenBy(cell, column);
        values[column.field] =
          column.part === undefined
            ? value
            : { ...((values[column.field] ?? {}) as object), [column.part]: value };
      } catch {
        tally.problem(row.line, name, 'VALUE_INVALID', 'is not JSON');
        return [];
      }
    }
    const id = row.cells.id ?? (match === undefined ? undefined : known.get(row.cells[match] ?? ''));
    if (id !== undefined && id !== null)
      return [{ line: row.line, operation: { op: 'update', entity: path, id, values } }];
    const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null)) as Values;
    return [{ line: row.line, operation: { op: 'create', entity: path, values: given } }];
  });
}

async function knownIds(
  records: Records,
  path: string,
  rows: readonly FileRow[],
  match: string | undefined,
): Promise<Map<string, string>> {
  const wanted = match === undefined || match === 'id' ? [] : rows.flatMap((row) => row.cells[match] ?? []);
  if (wanted.length === 0) return new Map();
  const { rows: found } = await records.list(path, {
    filter: { [match!]: { in: wanted } },
    first: BATCH,
    select: { id: true, [match!]: true },
  });
  return new Map(found.map(({ record }) => [String(record[match!]), record.id]));
}

/** Stores what can be stored: each refusal takes its row out, and the rest is tried again. */
async function store(
  records: Records,
  planned: readonly Planned[],
  tally: Tally,
  dryRun: boolean,
): Promise<void> {
  let rest = [...planned];
  while (rest.length > 0) {
    try {
      await records.bulk(
        rest.map((one) => one.operation),
        dryRun ? { dryRun } : {},
      );
      tally.stored(rest.map((one) => one.operation.op));
      return;
    } catch (error) {
      if (!(error instanceof HubError) || error.disposition !== 'user') throw error;
      const at = error.details.operation;
      if (typeof at !== 'number' || rest[at] === undefined) throw error;
      const column = typeof error.details.path === 'string' ? error.details.path : null;
      tally.problem(rest[at].line, column, error.code, error.message);
      // What came before it was fine: stored first, so that many refusals do not try it again and again.
      const before = rest.slice(0, at);
      if (before.length > 0) {
        await records.bulk(
          before.map((one) => one.operation),
          dryRun ? { dryRun } : {},
        );
        tally.stored(before.map((one) => one.operation.op));
      }
      rest = rest.slice(at + 1);
    }
  }
}

class Tally {
  rows = 0;
  #created = 0;
  #updated = 0;
  #failed = 0;
  readonly #problems: ImportProblem[] = [];
  readonly #ignored = new Set<string>();
  readonly #onProgress: ImportOptions['onProgress'];

  constructor({ onProgress }: ImportOptions) {
    this.#onProgress = onProgress;
  }

  row(row: FileRow, columns: ReadonlyMap<string, ExchangeColumn>): void {
    this.rows += 1;
    for (const name of Object.keys(row.cells))
      if (!columns.has(name) && name !== 'id') this.#ignored.add(name);
  }

  problem(line: number, column: string | null, code: string, message: string): void {
    this.#failed += 1;
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ line, column, code, message });
  }

  stored(operations: readonly BulkOperation['op'][]): void {
    const updated = operations.filter((one) => one === 'update').length;
    this.#updated += updated;
    this.#created += operations.length - updated;
    this.#onProgress?.({ rows: this.rows, failed: this.#failed });
  }

  report(): ImportReport {
    return {
      rows: this.rows,
      created: this.#created,
      updated: this.#updated,
      failed: this.#failed,
      problems: this.#problems,
      ignored: [...this.#ignored],
    };
  }
}
