import { columnSql, type EntityInfo, type FieldInfo, fieldOf } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { columnKinds, fromWire, readSql, showField } from '../model/values.ts';
import type { WireRow } from '../sessions/index.ts';
import type { Json, RecordRow, Selection } from '../types.ts';
import { type Access, assertReadable, compiledOnce } from './access.ts';

const MAX_DEPTH = 5;
const MAX_FIELDS = 400;
/** PostgreSQL takes at most 100 arguments. */
const ARGUMENTS = 90;
/** What is shown in place of a masked text, whatever the text is. */
export const MASK = '•••';

/** Part of a select list and how its values become a record. */
export interface Projection {
  readonly columns: readonly string[];
  /** `columns`, comma separated. */
  readonly list: string;
  /** Values of `columns`, as text from the wire. */
  fromWire(row: WireRow): RecordRow;
}

interface Part {
  readonly name: string;
  readonly columns: readonly string[];
  /** From the text of the wire to what `build` takes. */
  readonly parse: readonly ((text: string | null) => unknown)[];
  /** From the values of `columns`, which stand in `raw` from `at` on. */
  build(raw: readonly unknown[], at: number): Json;
}

/** How a selection that was not given is filled in. */
export type Otherwise = 'columns' | 'with children';

/**
 * What to read of `alias`, a row of `entity`: `id` and `version` always. A field named in `selection`
 * that the principal may not see is an error (FIELD_DENIED); without a selection it is left out.
 */
export function compileSelect(
  access: Access,
  entity: EntityInfo,
  alias: string,
  selection: Selection | undefined,
  otherwise: Otherwise = 'columns',
): Projection {
  const key = `select ${entity.path} ${alias} ${otherwise} ${selection === undefined ? '' : JSON.stringify(selection)}`;
  return compiledOnce(access, key, () => compile(access, entity, alias, selection, otherwise));
}

function compile(
  access: Access,
  entity: EntityInfo,
  alias: string,
  selection: Selection | undefined,
  otherwise: Otherwise,
): Projection {
  const context = { access, count: { fields: 0, aliases: 0 } };
  const parts = partsOf(context, entity, alias, selection, otherwise, '', 1);
  const columns = parts.flatMap((part) => part.columns);
  const parsers = parts.flatMap((part) => part.parse);
  const build = recordOf(parts);
  return {
    columns,
    list: columns.join(', '),
    fromWire: (row) => build(parsers.map((parse, index) => parse(row[index] ?? null))),
  };
}

interface Context {
  readonly access: Access;
  /** Aliases of the rows behind references and in child tables; they are seen in their sub-selects only. */
  readonly count: { fields: number; aliases: number };
}

function aliasIn({ count }: Context): string {
  count.aliases += 1;
  return `v${count.aliases}`;
}

/** How values of all columns of `parts` become a record. */
function recordOf(parts: readonly Part[]): (raw: readonly unknown[]) => RecordRow {
  // A copy has room for all fields at once; one that grows field by field is moved again and again.
  const blank: Record<string, Json> = Object.fromEntries(parts.map((part) => [part.name, null]));
  return (raw) => {
    const row = { ...blank };
    let at = 0;
    for (const part of parts) {
      row[part.name] = part.build(raw, at);
      at += part.columns.length;
    }
    return row as unknown as RecordRow;
  };
}

function partsOf(
  context: Context,
  entity: EntityInfo,
  alias: string,
  selection: Selection | undefined,
  otherwise: Otherwise,
  path: string,
  depth: number,
): Part[] {
  if (depth > MAX_DEPTH)
    throw problem('LIMIT_EXCEEDED', `Fields are selected more than ${MAX_DEPTH} deep.`, path);
  const rights = context.access.rights(entity);
  const wanted = new Map<string, true | Selection>([
    ['id', true],
    ['version', true],
  ]);
  if (selection === undefined) {
    for (const field of entity.fields.values())
      if (
        rights.fields[field.name] !== 'hidden' &&
        (field.kind !== 'childTable' || otherwise === 'with children')
      )
        wanted.set(field.name, true);
  } else for (const [name, one] of Object.entries(selection)) wanted.set(name, one);
  return [...wanted].flatMap(([name, one]) => {
    const at = path === '' ? name : `${path}.${name}`;
    context.count.fields += 1;
    if (context.count.fields > MAX_FIELDS)
      throw problem('LIMIT_EXCEEDED', `More than ${MAX_FIELDS} fields are selected.`, at);
    const field = fieldOf(entity, name, at);
    // The key and the version belong to every record that is shown at all.
    if (name !== 'id' && name !== 'version') {
      const right = rights.fields[name];
      if (right === 'hidden' || right === undefined)
        throw problem('FIELD_DENIED', `${entity.path}.${name} may not be read.`, at);
      if (right === 'masked') return [masked(field)];
    }
    if (field.kind === 'childTable') {
      const child = context.access.catalogue.entity(field.entities[0]!);
      if (selection === undefined && !context.access.rights(child).read) return [];
      return [children(context, entity, alias, field, one === true ? undefined : one, at, depth)];
    }
    if (one === true || one === undefined) return [plain(field, alias)];
    if (field.kind !== 'reference')
      throw problem('FIELD_UNKNOWN', `${entity.path}.${name} has no fields of its own.`, at);
    return [reference(context, alias, field, one, at, depth)];
  });
}

function plain(field: FieldInfo, alias: string): Part {
  const kinds = columnKinds(field);
  return {
    name: field.name,
    columns: field.columns.map((column, index) => readSql(kinds[index]!, columnSql(alias, column))),
    parse: kinds.map((kind) => (text) => fromWire(kind, text)),
    build: (raw, at) => showField(field, raw, at),
  };
}

/** Masked by MASK; fields of other kinds are null then. */
export const isTextual = (kind: FieldInfo['kind']): boolean =>
  kind === 'text' || kind === 'email' || kind === 'select';

const masked = (field: FieldInfo): Part => ({
  name: field.name,
  columns: [],
  parse: [],
  build: () => (isTextual(field.kind) ? MASK : null),
});

const parseJson = (text: string | null): unknown => (text === null ? null : (JSON.parse(text) as unknown));

/** Parts as one JSON array, and back. */
function packed(parts: readonly Part[]): { sql: string; unpack(raw: readonly unknown[]): RecordRow } {
  const columns = parts.flatMap((part) => part.columns);
  const pieces: string[] = [];
  for (let at = 0; at < columns.length; at += ARGUMENTS)
    pieces.push(`jsonb_build_array(${columns.slice(at, at + ARGUMENTS).join(', ')})`);
  return { sql: pieces.join(' || '), unpack: recordOf(parts) };
}

function reference(
  context: Context,
  alias: string,
  field: FieldInfo,
  selection: Selection,
  path: string,
  depth: number,
): Part {
  const target = context.access.catalogue.entity(field.entities[0]!);
  assertReadable(context.access, target, path);
  const inner = aliasIn(context);
  const pack = packed(partsOf(context, target, inner, selection, 'columns', path, depth + 1));
  return {
    name: field.name,
    columns: [
      `(SELECT ${pack.sql} FROM ${target.table} ${inner} WHERE ${inner}.id = ${columnSql(alias, field.columns[0]!)})`,
    ],
    parse: [parseJson],
    build: (raw, at) =>
      raw[at] === null || raw[at] === undefined ? null : pack.unpack(raw[at] as unknown[]),
  };
}

function children(
  context: Context,
  entity: EntityInfo,
  alias: string,
  field: FieldInfo,
  selection: Selection | undefined,
  path: string,
  depth: number,
): Part {
  const child = context.access.catalogue.entity(field.entities[0]!);
  assertReadable(context.access, child, path);
  const inner = aliasIn(context);
  const shown = partsOf(context, child, inner, selection, 'columns', path, depth + 1);
  // The parent and the tenant are known from where the rows are shown.
  const parts = selection === undefined ? shown.filter((part) => part.name !== child.parent!.field) : shown;
  const pack = packed(parts);
  const tenant = entity.tenantScoped ? ` AND ${inner}.tenant_id = ${alias}.tenant_id` : '';
  return {
    name: field.name,
    columns: [
      `(SELECT coalesce(jsonb_agg(${pack.sql} ORDER BY ${inner}.position, ${inner}.id), '[]') FROM ${child.table} ${inner} WHERE ${columnSql(inner, child.parent!.column)} = ${alias}.id${tenant})`,
    ],
    parse: [parseJson],
    build: (raw, at) => ((raw[at] ?? []) as unknown[][]).map((one) => pack.unpack(one) as unknown as Json),
  };
}
