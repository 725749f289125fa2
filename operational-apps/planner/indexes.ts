import { pgIdent, pgTable } from '#kernel';
import {
  type Apps,
  alternatives,
  columnsOf,
  type EntityModel,
  type FieldModel,
  fieldOf,
  predicateColumns,
  scopeFor,
  typedExpression,
} from '../definitions/index.ts';
import { hashed } from './names.ts';
import type { IndexModel } from './table-model.ts';

interface Key {
  readonly column: string;
  readonly descending: boolean;
}

const ascending = (columns: readonly string[]): Key[] =>
  columns.map((column) => ({ column, descending: false }));

/**
 * Indexes of an entity's table, each led by the tenant and ended by `id`, so that it serves a whole page
 * order: fields marked or known to be sought by, the order of each view, the time a record was made. Behind
 * that come the columns by which roles see only some of the rows: a page of theirs then reads entries of the index
 * alone to find them, not a row for each that it leaves out.
 */
export function entityIndexes(apps: Apps, entity: EntityModel): IndexModel[] {
  const seenBy = ascending(columnsSeenBy(apps, entity));
  const wanted: (readonly Key[])[] = [];
  if (entity.owner) wanted.push(ascending([`${entity.owner.entity}_id`, 'position']));
  else wanted.push(ascending(['created_at']));
  if (entity.states) wanted.push(ascending([entity.states.field]));
  for (const field of entity.fields) {
    const unique = 'unique' in field && field.unique === true;
    const sought = field.type === 'reference' || field.type === 'anyReference';
    if (field.type === 'childTable' || unique) continue;
    if (field.indexed ?? sought) wanted.push(ascending(columnsOf(field)));
  }
  // The order without any other has the key's own index, which has none of these columns behind.
  if (seenBy.length > 0) wanted.push(ascending(['id']));
  // A role that sees few rows has them together: fewer entries are read than along the order of a page.
  for (const way of waysToSee(apps, entity)) wanted.push(ascending(way.slice(0, 1)));
  if (entity.submittable) wanted.push(ascending(['amended_from_id']));
  for (const view of entity.views) wanted.push(...viewKeys(entity, view));
  const made = new Map<string, IndexModel>();
  for (const keys of wanted) {
    const index = toIndex(entity, keys, seenBy);
    made.set(index.name, index);
  }
  return [...made.values()];
}

/** Orders in which a view reads: its sort, under each value of a kanban's columns; a calendar's dates. */
function viewKeys(entity: EntityModel, view: EntityModel['views'][number]): (readonly Key[])[] {
  if (view.type === 'calendar') return [keyOf(entity, view.from)];
  if (view.type !== 'list' && view.type !== 'kanban') return [];
  const sort = (view.sort ?? []).flatMap((text) => keyOf(entity, text));
  // An index reads both ways: the first key decides which is forwards.
  const flip = sort[0]?.descending === true;
  const keys = sort.map((key) => ({ ...key, descending: key.descending !== flip }));
  if (view.type === 'list') return keys.length === 0 ? [] : [keys];
  return [[...keyOf(entity, view.by), ...keys]];
}

function keyOf(entity: EntityModel, text: string): Key[] {
  const descending = text.startsWith('-');
  const columns = fieldOf(entity, descending ? text.slice(1) : text)?.columns ?? [];
  return columns.map((column) => ({ column, descending }));
}

/** Most columns behind those of the order. */
const MOST_SEEN_BY = 3;
/** Longer texts make an index slow, and may not fit into one. */
const LONGEST_TEXT = 200;

/** Columns that the rules for reading compare: those by which each of them leaves out most come before the others'. */
function columnsSeenBy(apps: Apps, entity: EntityModel): string[] {
  const ways = waysToSee(apps, entity);
  const places = Math.max(0, ...ways.map((way) => way.length));
  const columns = Array.from({ length: places }, (_, at) => ways.flatMap((way) => way.slice(at, at + 1)));
  return [...new Set(columns.flat())].slice(0, MOST_SEEN_BY);
}

/** For each predicate that lets a role see rows: the columns it compares. */
function waysToSee(apps: Apps, entity: EntityModel): string[][] {
  if (entity.owner) return [];
  const wheres = new Set(
    entity.permissions.filter((rule) => rule.can.includes('read')).map((rule) => rule.where),
  );
  const long = new Set(entity.fields.filter(isLong).map((field) => field.name));
  return [...wheres]
    .filter((where) => where !== undefined)
    .flatMap((where) => alternatives(typedExpression(where, scopeFor(apps, entity, 'where'))))
    .map((one) => [...new Set(predicateColumns(one))].filter((column) => !long.has(column)))
    .filter((columns) => columns.length > 0);
}

const isLong = (field: FieldModel): boolean =>
  ['text', 'richText', 'url', 'json', 'multiSelect'].includes(field.type) &&
  !('maxLength' in field && field.maxLength !== undefined && field.maxLength <= LONGEST_TEXT);

function toIndex(entity: EntityModel, given: readonly Key[], behind: readonly Key[]): IndexModel {
  const keys = given.filter((key, at) => given.findIndex((other) => other.column === key.column) === at);
  const tenant = entity.tenantScoped ? ascending(['tenant_id']) : [];
  const id = { column: 'id', descending: keys.at(-1)?.descending ?? false };
  const order = [...tenant, ...keys, ...(keys.some((key) => key.column === 'id') ? [] : [id])];
  const whole = [...order, ...behind.filter((key) => order.every((other) => other.column !== key.column))];
  const list = whole
    .map((key) => `${pgIdent(key.column)} ${key.descending ? 'DESC NULLS FIRST' : 'ASC'}`)
    .join(', ');
  const name = hashed(`${entity.name}_${keys.map((key) => key.column).join('_')}_idx`, list);
  return { name, definition: `INDEX ${pgIdent(name)} ON ${pgTable(entity.app, entity.name)} (${list})` };
}

/** Trigram indexes for text sought anywhere in the search fields; one each, as YSQL has none over several columns. */
export function searchIndexes(entity: EntityModel, trigrams: string): IndexModel[] {
  return entity.searchFields.map((field) => {
    const list = `${pgIdent(field)} ${pgIdent(trigrams)}.gin_trgm_ops`;
    const name = hashed(`${entity.name}_${field}_search`, list);
    return {
      name,
      definition: `INDEX ${pgIdent(name)} ON ${pgTable(entity.app, entity.name)} USING gin (${list})`,
    };
  });
}
