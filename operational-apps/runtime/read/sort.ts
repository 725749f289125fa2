import { hash } from 'node:crypto';
import { columnSql, type EntityInfo, type FieldInfo } from '../model/catalogue.ts';
import { toParam, Unfit } from '../model/convert.ts';
import { problem } from '../model/problem.ts';
import { fromWire, show } from '../model/values.ts';
import type { Json } from '../types.ts';
import { type Access, comparable, type Params } from './access.ts';

const MAX_KEYS = 3;
/** Kinds of fields that have an order. */
export const SORTABLE: ReadonlySet<FieldInfo['kind']> = new Set<FieldInfo['kind']>([
  'id',
  'text',
  'email',
  'integer',
  'number',
  'boolean',
  'date',
  'dateTime',
  'select',
  'reference',
]);

export interface SortKey {
  readonly field: FieldInfo;
  readonly column: string;
  readonly descending: boolean;
}

/**
 * The keys of an order that is total: `id` comes last. Ascending puts nulls last and descending first,
 * which is how an index reads forwards and backwards. Errors: SORT_INVALID, FIELD_UNKNOWN, FIELD_DENIED.
 */
export function compileSort(access: Access, entity: EntityInfo, sort: readonly string[]): SortKey[] {
  if (sort.length > MAX_KEYS)
    throw problem('SORT_INVALID', `More than ${MAX_KEYS} fields to sort by.`, 'sort');
  const keys: SortKey[] = [];
  for (const [index, text] of sort.entries()) {
    const path = `sort.${index}`;
    const descending = text.startsWith('-');
    const field = comparable(access, entity, descending ? text.slice(1) : text, path);
    if (!SORTABLE.has(field.kind) || field.model?.type === 'richText')
      throw problem('SORT_INVALID', `${entity.path}.${field.name} cannot be sorted by.`, path);
    if (keys.some((key) => key.field === field))
      throw problem('SORT_INVALID', `\`${field.name}\` is sorted by twice.`, path);
    keys.push({ field, column: field.columns[0]!, descending });
    if (field.kind === 'id') return keys;
  }
  // With the direction of what it follows, so that the index on (field, id) serves the whole order.
  const descending = keys.at(-1)?.descending ?? false;
  return [...keys, { field: entity.fields.get('id')!, column: 'id', descending }];
}

export const reversed = (keys: readonly SortKey[]): SortKey[] =>
  keys.map((key) => ({ ...key, descending: !key.descending }));

export const orderSql = (keys: readonly SortKey[], alias: string): string =>
  keys
    .map((key) => `${columnSql(alias, key.column)} ${key.descending ? 'DESC NULLS FIRST' : 'ASC NULLS LAST'}`)
    .join(', ');

/**
 * The rows after a given one as conditions that exclude each other: each is one range of an index on the keys, which
 * a single condition with OR would not be. Mostly it is one range; nulls, and keys of different directions, need more.
 */
export function rangesAfter(
  params: Params,
  keys: readonly SortKey[],
  values: readonly (string | null)[],
  alias: string,
): string[] {
  const descending = keys[0]!.descending;
  if (values.every((value) => value !== null) && keys.every((key) => key.descending === descending))
    return rowsAfter(params, keys, values, alias);
  const ranges: string[] = [];
  for (let length = keys.length; length > 0; length -= 1) {
    const beyond = past(params, keys[length - 1]!, values[length - 1]!, alias);
    // A parameter that is in no text would have no type.
    if (beyond.length === 0) continue;
    const equal = keys.slice(0, length - 1).map((key, index) => equals(params, key, values[index]!, alias));
    for (const one of beyond) ranges.push([...equal, one].join(' AND '));
  }
  return ranges;
}

/** The same where all keys have one direction and the given row has no nulls: a comparison of rows, which an index reads as one range. */
function rowsAfter(
  params: Params,
  keys: readonly SortKey[],
  values: readonly (string | null)[],
  alias: string,
): string[] {
  const columns = keys.map((key) => columnSql(alias, key.column));
  const given = keys.map((key, index) => params.add(values[index]!, typeOf(key.field)));
  if (keys[0]!.descending) return [`(${columns.join(', ')}) < (${given.join(', ')})`];
  // Ascending, nulls come last; a comparison with them is never true.
  const nulls = keys.flatMap((key, at) =>
    key.field.nullable
      ? [
          [
            ...columns.slice(0, at).map((column, index) => `${column} = ${given[index]}`),
            `${columns[at]} IS NULL`,
          ].join(' AND '),
        ]
      : [],
  );
  return [`(${columns.join(', ')}) > (${given.join(', ')})`, ...nulls];
}

const typeOf = (field: FieldInfo): string => (field.kind === 'number' ? 'numeric' : field.sqlType);

const equals = (params: Params, key: SortKey, value: string | null, alias: string): string =>
  value === null
    ? `${columnSql(alias, key.column)} IS NULL`
    : `${columnSql(alias, key.column)} = ${params.add(value, typeOf(key.field))}`;

function past(params: Params, key: SortKey, value: string | null, alias: string): string[] {
  const column = columnSql(alias, key.column);
  if (value === null) return key.descending ? [`${column} IS NOT NULL`] : [];
  const beyond = `${column} ${key.descending ? '<' : '>'} ${params.add(value, typeOf(key.field))}`;
  return key.descending || !key.field.nullable ? [beyond] : [beyond, `${column} IS NULL`];
}

/** Bound to the entity and the order: a cursor of one list does not fit another. Made once for all rows of a page. */
function stamp(entity: EntityInfo, keys: readonly SortKey[]): string {
  let made = stamps.get(keys);
  if (made === undefined) {
    const order = keys.map((key) => `${key.descending ? '-' : ''}${key.field.name}`).join();
    made = hash('sha256', `${entity.path} ${order}`, 'base64url').slice(0, 8);
    stamps.set(keys, made);
  }
  return made;
}

const stamps = new WeakMap<readonly SortKey[], string>();

/** `values` as they come from the wire, in the order of `keys`. */
export function writeCursor(
  entity: EntityInfo,
  keys: readonly SortKey[],
  values: readonly (string | null)[],
): string {
  const shown = keys.map((key, index) => show(key.field.kind, fromWire(key.field.kind, values[index]!)));
  return Buffer.from(JSON.stringify([stamp(entity, keys), ...shown])).toString('base64url');
}

/** The values of the keys, as parameters. Error: CURSOR_INVALID. */
export function readCursor(entity: EntityInfo, keys: readonly SortKey[], cursor: string): (string | null)[] {
  const invalid = (): Error =>
    problem('CURSOR_INVALID', 'The cursor does not belong to this list in this order.', 'after');
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw invalid();
  }
  if (!Array.isArray(parsed) || parsed.length !== keys.length + 1 || parsed[0] !== stamp(entity, keys))
    throw invalid();
  try {
    return keys.map((key, index) => {
      const loose: FieldInfo = { ...key.field, sqlType: typeOf(key.field) };
      // What is stored may be older than today's rules on it.
      const kind = key.field.kind === 'email' || key.field.kind === 'select' ? 'text' : key.field.kind;
      return toParam({ ...loose, kind, model: undefined }, parsed[index + 1] as Json) as string | null;
    });
  } catch (error) {
    if (error instanceof Unfit) throw invalid();
    throw error;
  }
}
