import { HubError } from '#kernel';
import type { EntityModel } from '../../definitions/index.ts';
import { problem } from '../model/problem.ts';
import type { Json, ListQuery, RecordRow, Records, Values } from '../types.ts';
import { csvLine, guarded, readCsv, unguarded } from './csv.ts';

const MOST_ROWS = 100_000;
const MOST_ERRORS = 200;

export interface ImportOptions {
  /** A unique field: rows whose value is there already change that record. */
  readonly by?: string;
  /** Everything is tried, row by row, and nothing stays. Equals within the file are not seen then. */
  readonly dryRun?: boolean;
}

export interface ImportResult {
  readonly created: number;
  readonly updated: number;
  readonly failed: number;
  /** The first ones; `column` as it is called in the file. */
  readonly errors: readonly {
    readonly line: number;
    readonly column: string | null;
    readonly code: string;
    readonly message: string;
  }[];
}

/**
 * Rows of a CSV file as records, each in a transaction of its own: one that is refused is told and stops no
 * other. The first line names the fields. Errors: PERMISSION_DENIED, FIELD_UNKNOWN, LIMIT_EXCEEDED.
 */
export async function importCsv(
  records: Records,
  entity: EntityModel,
  content: AsyncIterable<Buffer>,
  { by, dryRun = false }: ImportOptions = {},
): Promise<ImportResult> {
  const path = `${entity.app}.${entity.name}`;
  const rights = records.rights(path);
  if (!rights.import)
    throw problem('PERMISSION_DENIED', `${entity.plural} may not be imported.`, undefined, { entity: path });
  let header: string[] | null = null;
  const counts = { created: 0, updated: 0, failed: 0 };
  const errors: ImportResult['errors'][number][] = [];
  let rows = 0;
  for await (const { line, cells } of readCsv(content)) {
    if (header === null) {
      header = headerOf(entity, rights.fields, cells);
      if (by !== undefined && !header.includes(by))
        throw problem('FIELD_UNKNOWN', `The file has no column \`${by}\`.`, by);
      continue;
    }
    rows += 1;
    if (rows > MOST_ROWS)
      throw problem('LIMIT_EXCEEDED', `More than ${MOST_ROWS} rows; import them in parts.`);
    try {
      const values = valuesOf(entity, header, cells);
      counts[await writeRow(records, path, values, by, dryRun)] += 1;
    } catch (error) {
      if (!(error instanceof HubError) || error.disposition !== 'user') throw error;
      counts.failed += 1;
      const column = typeof error.details.path === 'string' ? error.details.path : null;
      if (errors.length < MOST_ERRORS)
        errors.push({ line, column, code: error.code, message: error.message });
    }
  }
  if (header === null) throw problem('VALUE_INVALID', 'The file is empty; its first line names the fields.');
  return { ...counts, errors };
}

async function writeRow(
  records: Records,
  path: string,
  values: Values,
  by: string | undefined,
  dryRun: boolean,
): Promise<'created' | 'updated'> {
  const key = by === undefined ? null : (values[by] ?? null);
  const found =
    key === null ? null : (await records.list(path, { filter: { [by!]: { eq: key } }, first: 1 })).rows[0];
  if (!found) {
    await records.bulk([{ op: 'create', entity: path, values }], { dryRun });
    return 'created';
  }
  const { [by!]: _, ...rest } = values;
  await records.bulk([{ op: 'update', entity: path, id: found.record.id, values: rest }], { dryRun });
  return 'updated';
}

function headerOf(
  entity: EntityModel,
  rights: Readonly<Record<string, string>>,
  cells: readonly string[],
): string[] {
  return cells.map((cell) => {
    const text = cell.replace(/^\uFEFF/, '').trim();
    const field = entity.fields.find(
      (one) => one.name === text || one.label.toLowerCase() === text.toLowerCase(),
    );
    if (!field || field.type === 'childTable' || field.type === 'address' || field.type === 'anyReference')
      throw problem(
        'FIELD_UNKNOWN',
        `\`${text.slice(0, 60)}\` is no field that can be imported.`,
        text.slice(0, 60),
      );
    if (rights[field.name] !== 'write')
      throw problem('FIELD_DENIED', `${field.label} may not be written.`, field.name);
    return field.name;
  });
}

/** Empty cells are null; what a cell says is checked like any other value. */
function valuesOf(entity: EntityModel, header: readonly string[], cells: readonly string[]): Values {
  if (cells.length > header.length)
    throw problem('VALUE_INVALID', `The line has ${cells.length} cells, the first one ${header.length}.`);
  return Object.fromEntries(
    header.flatMap((name, index): [string, Json][] => {
      const cell = unguarded((cells[index] ?? '').trim());
      const field = entity.fields.find((one) => one.name === name)!;
      // A default is taken for what is left empty.
      if (cell === '') return 'default' in field && field.default !== undefined ? [] : [[name, null]];
      switch (field.type) {
        case 'boolean':
          return [[name, /^(true|yes|1)$/i.test(cell) ? true : /^(false|no|0)$/i.test(cell) ? false : cell]];
        case 'multiSelect':
          return [[name, cell.split(/[;|]/).map((one) => one.trim())]];
        case 'json':
        case 'file':
          return [[name, parsed(cell, name)]];
        default:
          return [[name, cell]];
      }
    }),
  );
}

function parsed(cell: string, path: string): Json {
  try {
    return JSON.parse(cell) as Json;
  } catch {
    throw problem('VALUE_INVALID', 'The cell must be JSON.', path);
  }
}

/** All rows that match as CSV, with the names of the fields first; needs the right to export. */
export async function* exportCsv(
  records: Records,
  entity: EntityModel,
  query: Pick<ListQuery, 'filter' | 'sort' | 'search'> = {},
): AsyncGenerator<string> {
  const path = `${entity.app}.${entity.name}`;
  const { fields } = records.rights(path);
  const names = Object.keys(fields).filter((name) => fields[name] !== 'hidden' && isColumn(entity, name));
  const select = Object.fromEntries(names.map((name) => [name, true as const]));
  yield csvLine(names);
  for await (const rows of records.stream(path, { ...query, select }))
    yield rows.map((row) => csvLine(names.map((name) => cellOf(row, name)))).join('');
}

const isColumn = (entity: EntityModel, name: string): boolean =>
  entity.fields.find((field) => field.name === name)?.type !== 'childTable';

function cellOf(row: RecordRow, name: string): string {
  const value = row[name] ?? null;
  if (value === null) return '';
  // A number below zero is no formula.
  if (typeof value === 'string') return /^-?\d+(\.\d+)?$/.test(value) ? value : guarded(value);
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(';');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
