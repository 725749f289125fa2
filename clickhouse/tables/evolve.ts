import {
  type Column,
  chIdent,
  chLiteral,
  chTable,
  HubError,
  type TableSchema,
  type Warehouse,
} from '#kernel';
import { canBeOdd, encodeSourceText, escapeField } from '../types/index.ts';
import { commentOf } from './ddl.ts';
import { type Layout, layoutOf, shardsOf, singleServer } from './layout.ts';
import { type AppliedColumn, type AppliedTable, isNullable, keyColumns, wantedColumns } from './model.ts';
import { refreshReader } from './place.ts';
import { rebuild } from './rebuild.ts';
import { readStored, readTable } from './state.ts';

/** One ALTER; what must precede it is idempotent and checked first. */
export interface Step {
  /** Moves `_raw` entries of a column to its new name, or gives existing rows an entry. */
  readonly raw?: { readonly where: string; readonly value: string };
  readonly alter: readonly string[];
  readonly after: AppliedTable;
}

/** What has to be done: ALTERs in order, or a copy into a new table where ClickHouse has no ALTER. */
export type Evolution =
  | { readonly kind: 'steps'; readonly steps: readonly Step[] }
  | { readonly kind: 'rebuild' };

const needsGeneration = (schema: TableSchema, what: string): HubError =>
  new HubError('SCHEMA_NEEDS_SNAPSHOT', `${what} of ${schema.schema}.${schema.table} needs a new snapshot.`, {
    next: `Run bac connect resnapshot ${schema.source} ${schema.schema}.${schema.table}.`,
  });

/**
 * Plans the way from the applied shape to `schema`, column by column by attribute number. Pure. After
 * a crash the plan made from what is there then continues where the last one stopped.
 * Throws SCHEMA_NEEDS_SNAPSHOT for another key or an incompatible type.
 */
export function planEvolution(applied: AppliedTable, schema: TableSchema): Evolution {
  const wanted = wantedColumns(schema);
  const source = new Map(schema.columns.map((column) => [column.attnum, column]));
  const key = keyColumns(schema).map((column) => column.attnum);
  if (key.join() !== applied.key.join()) throw needsGeneration(schema, 'The changed key');
  const targets = wanted.map((column) => withKeptType(applied, column, schema));
  const before = new Map(applied.columns.map((column) => [column.attnum, column]));
  const touchesKey = targets.some((target) => {
    const now = before.get(target.attnum);
    return (
      key.includes(target.attnum) &&
      now !== undefined &&
      (now.name !== target.name || now.type !== target.type)
    );
  });
  if (touchesKey) return { kind: 'rebuild' };

  const steps: Step[] = [];
  let columns = [...applied.columns];
  const step = (alter: readonly string[], next: AppliedColumn[], raw?: Step['raw']): void => {
    columns = next.sort((a, b) => a.attnum - b.attnum);
    const after = { ...applied, columns, towards: schema.version };
    // Entries of \`_raw\` change before their column does: that too must be known to be under way.
    if (raw !== undefined && steps.length === 0)
      steps.push({ alter: [], after: { ...after, columns: applied.columns } });
    steps.push({ alter, after, ...(raw === undefined ? {} : { raw }) });
  };

  const dropped = columns.filter((column) => !source.has(column.attnum));
  if (dropped.length > 0) {
    step(
      dropped.map((column) => `DROP COLUMN IF EXISTS ${chIdent(column.name)}`),
      columns.filter((column) => source.has(column.attnum)),
      rawDrop(dropped),
    );
  }
  for (;;) {
    const pending = columns.filter((column) => nameOf(targets, column.attnum) !== column.name);
    const [first] = pending;
    if (first === undefined) break;
    const free = pending.find(
      (column) => !columns.some((other) => other.name === nameOf(targets, column.attnum)),
    );
    const moved = free ?? first;
    const to = free === undefined ? `__bac_${moved.attnum}` : nameOf(targets, moved.attnum);
    step(
      [`RENAME COLUMN ${chIdent(moved.name)} TO ${chIdent(to)}`],
      columns.map((column) => (column === moved ? { ...moved, name: to } : column)),
      rawRename(source.get(moved.attnum), moved.name, to),
    );
  }
  for (const [index, target] of targets.entries()) {
    const now = columns.find((column) => column.attnum === target.attnum);
    if (now === undefined) {
      const column = source.get(target.attnum)!;
      const fill = fillOf(column, target.type);
      const previous = targets[index - 1];
      const place = previous === undefined ? 'FIRST' : `AFTER ${chIdent(previous.name)}`;
      const comment = target.comment === '' ? '' : ` COMMENT ${chLiteral(target.comment)}`;
      step(
        [`ADD COLUMN IF NOT EXISTS ${chIdent(target.name)} ${target.type}${fill.default}${comment} ${place}`],
        [...columns, target],
        fill.raw,
      );
    } else if (now.type !== target.type) {
      step([`MODIFY COLUMN ${chIdent(target.name)} ${target.type}`], replace(columns, now, target));
    } else if (now.comment !== target.comment) {
      step(
        [`COMMENT COLUMN ${chIdent(target.name)} ${chLiteral(target.comment)}`],
        replace(columns, now, target),
      );
    }
  }
  const { towards: _, ...rest } = applied;
  const last = { ...rest, columns, version: schema.version, comment: schema.comment ?? '' };
  return { kind: 'steps', steps: [...steps, { alter: [], after: last }] };
}

const nameOf = (targets: readonly AppliedColumn[], attnum: number): string =>
  targets.find((target) => target.attnum === attnum)!.name;

const replace = (
  columns: readonly AppliedColumn[],
  old: AppliedColumn,
  next: AppliedColumn,
): AppliedColumn[] => columns.map((column) => (column === old ? next : column));

/** A column never gets narrower: rows that are there may hold NULL or more digits. */
function withKeptType(applied: AppliedTable, target: AppliedColumn, schema: TableSchema): AppliedColumn {
  const now = applied.columns.find((column) => column.attnum === target.attnum);
  if (now === undefined || now.type === target.type) return target;
  const [from, to] = [bare(now.type), bare(target.type)];
  const nullable = isNullable(now.type) || isNullable(target.type);
  if (from === to) return { ...target, type: nullable ? nullableOf(target.type) : target.type };
  if (!widens(from, to)) throw needsGeneration(schema, `The changed type of column ${target.name}`);
  return { ...target, type: nullable ? nullableOf(target.type) : target.type };
}

const bare = (type: string): string =>
  type
    .replace(/^LowCardinality\(Nullable\((.*)\)\)$/, 'LowCardinality($1)')
    .replace(/^Nullable\((.*)\)$/, '$1');
export function nullableOf(type: string): string {
  if (isNullable(type)) return type;
  return type.startsWith('LowCardinality(') ? 'LowCardinality(Nullable(String))' : `Nullable(${type})`;
}

function widens(from: string, to: string): boolean {
  const [a, b] = [decimal(from), decimal(to)];
  return a !== null && b !== null && b.scale >= a.scale && b.precision - b.scale >= a.precision - a.scale;
}

function decimal(type: string): { precision: number; scale: number } | null {
  const match = /^Decimal\((\d+), (\d+)\)$/.exec(type);
  return match === null ? null : { precision: Number(match[1]), scale: Number(match[2]) };
}

/** A later column of the same name must not find the old one's entries. */
function rawDrop(dropped: readonly AppliedColumn[]): Step['raw'] {
  const names = dropped
    .filter((column) => /Date|Decimal|Array/.test(column.type))
    .map((column) => chLiteral(column.name));
  if (names.length === 0) return undefined;
  return {
    where: names.map((name) => `mapContains(_raw, ${name})`).join(' OR '),
    value: `mapFilter((k, v) -> NOT has([${names.join(', ')}], k), _raw)`,
  };
}

function rawRename(column: Column | undefined, from: string, to: string): Step['raw'] {
  if (column === undefined || !canBeOdd(column.type)) return undefined;
  const [old, next] = [chLiteral(from), chLiteral(to)];
  return {
    where: `mapContains(_raw, ${old})`,
    value: `mapFromArrays(arrayMap(k -> if(k = ${old}, ${next}, k), mapKeys(_raw)), mapValues(_raw))`,
  };
}

/** DEFAULT that gives rows written before the column existed the value they have at the source. */
function fillOf(column: Column, type: string): { default: string; raw?: NonNullable<Step['raw']> } {
  if (column.fill === null) {
    return column.type.kind === 'array'
      ? { default: '', raw: rawFill(column.name, 'NULL') }
      : { default: '' };
  }
  const { field, raw } = encodeSourceText(column.type, column.nullable, column.fill);
  const data = typeof field === 'string' ? field : field.toString('latin1');
  const literal =
    typeof field === 'string'
      ? `'${data.replaceAll("'", "\\'")}'`
      : `unhex('${Buffer.from(data, 'latin1').toString('hex')}')`;
  const array = type.startsWith('Array(');
  const value = array ? chLiteral(data) : literal;
  const sql = field === '\\N' ? '' : ` DEFAULT CAST(${value} AS ${type})`;
  return raw === null ? { default: sql } : { default: sql, raw: rawFill(column.name, raw) };
}

const rawFill = (name: string, raw: string): NonNullable<Step['raw']> => ({
  where: `NOT mapContains(_raw, ${chLiteral(name)})`,
  value: `mapConcat(_raw, map(${chLiteral(name)}, '${escapeField(raw).replaceAll("'", "\\'")}'))`,
});

/** Brings a table to `schema`. Idempotent; may be called by several processes at once. Returns what is there then. */
export async function evolve(
  warehouse: Warehouse,
  applied: AppliedTable,
  schema: TableSchema,
): Promise<AppliedTable> {
  if (warehouse.cluster === undefined) {
    const evolution = planEvolution(applied, schema);
    if (evolution.kind === 'rebuild') {
      await rebuild(warehouse, applied, schema);
      return evolve(warehouse, await reread(warehouse, applied), schema);
    }
    await take(warehouse, applied, evolution.steps, singleServer);
    return reread(warehouse, applied);
  }
  const layout = layoutOf(warehouse);
  for (const [index, shard] of (await shardsOf(warehouse)).entries()) {
    const part = await readStored(shard, true, applied.database, applied.stored);
    if (part === null && index >= applied.shards) break; // added to the cluster later
    if (part === null) throw gone(applied);
    const evolution = planEvolution(part, schema);
    // There is no exchange of tables on all servers at once; a new generation replaces the reader's table.
    if (evolution.kind === 'rebuild') throw needsGeneration(schema, 'The changed key column');
    await take(shard, part, evolution.steps, layout);
  }
  const now = await reread(warehouse, applied);
  await refreshReader(warehouse, now);
  return now;
}

/** Takes the steps on one server; its other replicas follow by themselves. */
async function take(
  server: Warehouse,
  applied: AppliedTable,
  steps: readonly Step[],
  layout: Layout,
): Promise<void> {
  const target = chTable(applied.database, applied.stored);
  for (const { raw, alter, after } of steps) {
    if (raw !== undefined) await updateRaw(server, target, raw);
    const state = chLiteral(commentOf(after));
    const keep = layout.cluster === null ? `MODIFY COMMENT ${state}` : `COMMENT COLUMN _version ${state}`;
    await server.command(`ALTER TABLE ${target} ${[...alter, keep].join(', ')}`, { settings: layout.alter });
  }
}

/** Lets columns hold NULL. Idempotent. */
export async function widen(
  warehouse: Warehouse,
  applied: AppliedTable,
  columns: readonly AppliedColumn[],
): Promise<void> {
  const target = chTable(applied.database, applied.stored);
  const clauses = columns.map(({ name, type }) => `MODIFY COLUMN ${chIdent(name)} ${nullableOf(type)}`);
  if (clauses.length === 0) return;
  const { alter } = layoutOf(warehouse);
  for (const shard of (await shardsOf(warehouse)).slice(0, applied.shards)) {
    await shard.command(`ALTER TABLE ${target} ${clauses.join(', ')}`, { settings: alter });
  }
  if (warehouse.cluster !== undefined) await refreshReader(warehouse, await reread(warehouse, applied));
}

async function reread(warehouse: Warehouse, applied: AppliedTable): Promise<AppliedTable> {
  const now = await readTable(warehouse, applied.database, applied.table);
  if (now === null) throw gone(applied);
  return now;
}

const gone = (applied: AppliedTable): HubError =>
  new HubError('TABLE_GONE', `Warehouse table ${applied.table} disappeared while it was altered.`, {
    disposition: 'transient',
  });

async function updateRaw(server: Warehouse, target: string, raw: NonNullable<Step['raw']>): Promise<void> {
  const found = await server.query(`SELECT 1 AS found FROM ${target} WHERE ${raw.where} LIMIT 1`);
  if (found.length === 0) return;
  await server.command(`ALTER TABLE ${target} UPDATE _raw = ${raw.value} WHERE ${raw.where}`, {
    settings: { mutations_sync: 2 },
  });
}
