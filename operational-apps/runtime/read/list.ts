import { columnSql, type EntityInfo, fieldOf } from '../model/catalogue.ts';
import { toId, toText, Unfit } from '../model/convert.ts';
import { problem } from '../model/problem.ts';
import { arrayParam } from '../model/values.ts';
import type { Statement, WireRow } from '../sessions/index.ts';
import type { Filter, ListQuery, Page, RecordRow, Selection } from '../types.ts';
import { type Access, assertReadable, Params } from './access.ts';
import { compileFilter } from './filter.ts';
import { seenRules } from './seen.ts';
import { compileSelect, type Otherwise, type Projection } from './select.ts';
import {
  compileSort,
  orderSql,
  rangesAfter,
  readCursor,
  reversed,
  type SortKey,
  writeCursor,
} from './sort.ts';

const DEFAULT_ROWS = 50;
const MOST_ROWS = 500;
export const MOST_COUNTED = 10_000;
const MOST_IDS = 1000;

/** A statement and what its rows mean. */
export interface Query<T> {
  readonly statement: Statement;
  read(rows: readonly WireRow[]): T;
}

export function rowsWanted(first: number | undefined): number {
  const rows = first ?? DEFAULT_ROWS;
  if (!Number.isInteger(rows) || rows < 1 || rows > MOST_ROWS)
    throw problem('LIMIT_EXCEEDED', `\`first\` is between 1 and ${MOST_ROWS}.`, 'first');
  return rows;
}

/** One page; one row more than wanted is read to see whether there are more. */
export function listQuery(access: Access, entity: EntityInfo, query: ListQuery): Query<Page> {
  assertReadable(access, entity);
  const params = new Params();
  const wanted = rowsWanted(query.first);
  const forward = compileSort(access, entity, query.sort ?? []);
  const keys = query.backward ? reversed(forward) : forward;
  const source = pageSource(access, params, entity, keys, query, forward, wanted + 1);
  const projection = compileSelect(access, entity, 't', query.select);
  const shown = [...keySql(forward, 't'), ...projection.columns];
  return {
    statement: {
      text: `SELECT ${shown.join(', ')} FROM ${source} t ORDER BY ${orderSql(keys, 't')} LIMIT ${wanted + 1}`,
      values: params.values,
      keep: true,
      // How many rows a filter lets through depends on its values; what lies after a cursor does not matter.
      onePlan: query.filter === undefined && !query.search,
    },
    read(rows) {
      const page = rows.slice(0, wanted).map((row) => ({
        cursor: writeCursor(entity, forward, row.slice(0, forward.length)),
        record: projection.fromWire(row.slice(forward.length)),
      }));
      return { rows: query.backward ? page.reverse() : page, hasMore: rows.length > wanted };
    },
  };
}

const keySql = (keys: readonly SortKey[], alias: string): string[] =>
  keys.map((key) => `${columnSql(alias, key.column)}::text`);

/**
 * The rows of one page and perhaps some more, as a table expression: one branch for each range after the cursor and
 * each predicate by which the principal sees rows. Each branch is one walk along an index that ends after a page's
 * rows, however many there are. Rows that several predicates let through are kept once.
 */
function pageSource(
  access: Access,
  params: Params,
  entity: EntityInfo,
  keys: readonly SortKey[],
  query: ListQuery,
  forward: readonly SortKey[],
  limit: number,
): string {
  const seen = seenRules(access, entity, 's') ?? [];
  const rules = rowRules(access, params, entity, 's', query);
  const ranges =
    query.after === undefined
      ? [null]
      : rangesAfter(params, keys, readCursor(entity, forward, query.after), 's');
  const order = orderSql(keys, 's');
  const branch = (conditions: readonly (string | null | undefined)[]): string => {
    const where = [...conditions, ...rules].filter((one) => typeof one === 'string');
    return `(SELECT s.* FROM ${entity.table} s${where.length > 0 ? ` WHERE ${where.join(' AND ')}` : ''} ORDER BY ${order} LIMIT ${limit})`;
  };
  if (ranges.length === 0) return branch(['false']);
  const ways = seen.length === 0 ? [undefined] : seen;
  const branches = ranges.flatMap((range) => ways.map((way) => branch([way, range])));
  if (branches.length === 1) return branches[0]!;
  const all = `(${branches.join(' UNION ALL ')})`;
  if (ways.length === 1) return all;
  // The order ends with the key: what is equal in it is one row.
  return `(SELECT DISTINCT ON (${keys.map((key) => columnSql('u', key.column)).join(', ')}) u.* FROM ${all} u ORDER BY ${orderSql(keys, 'u')} LIMIT ${limit})`;
}

/** What rows must fulfil besides the policies. */
export function rowRules(
  access: Access,
  params: Params,
  entity: EntityInfo,
  alias: string,
  query: { readonly filter?: Filter | undefined; readonly search?: string | undefined },
): string[] {
  const rules: string[] = [];
  if (query.filter !== undefined) {
    const rule = compileFilter(access, params, entity, alias, query.filter);
    if (rule !== 'true') rules.push(rule);
  }
  if (query.search !== undefined && query.search.trim() !== '')
    rules.push(searchRule(access, params, entity, alias, query.search));
  return rules;
}

/** Every word is found in one of the search fields that the principal may see. */
export function searchRule(
  access: Access,
  params: Params,
  entity: EntityInfo,
  alias: string,
  text: string,
): string {
  const words = searchWords(text);
  const columns = searchColumns(access, entity, alias);
  if (columns.length === 0) return 'false';
  return words
    .map((word) => {
      const pattern = params.add(`%${word.replace(/[\\%_]/g, '\\$&')}%`, 'text');
      return `(${columns.map((column) => `${column} ILIKE ${pattern}`).join(' OR ')})`;
    })
    .join(' AND ');
}

export function searchWords(text: string): string[] {
  try {
    const words = toText(text).trim().split(/\s+/);
    if (text.length > 500 || words.length > 10)
      throw problem('LIMIT_EXCEEDED', 'A search has at most 10 words and 500 characters.', 'search');
    return words;
  } catch (error) {
    if (error instanceof Unfit)
      throw problem('FILTER_INVALID', `\`search\` must be ${error.message}.`, 'search');
    throw error;
  }
}

export function searchColumns(access: Access, entity: EntityInfo, alias: string): string[] {
  const rights = access.rights(entity).fields;
  return entity.model.searchFields
    .filter((name) => rights[name] === 'readonly' || rights[name] === 'write')
    .map((name) => columnSql(alias, fieldOf(entity, name).columns[0]!));
}

/** How many rows there are, up to one more than is counted. */
export function countQuery(access: Access, entity: EntityInfo, query: ListQuery): Query<number> {
  assertReadable(access, entity);
  const params = new Params();
  const seen = seenRules(access, entity, 's');
  const rules = [
    ...(seen === null ? [] : [`(${seen.join(' OR ')})`]),
    ...rowRules(access, params, entity, 's', query),
  ];
  const where = rules.length > 0 ? ` WHERE ${rules.join(' AND ')}` : '';
  return {
    statement: {
      text: `SELECT count(*) FROM (SELECT 1 FROM ${entity.table} s${where} LIMIT ${MOST_COUNTED + 1}) counted`,
      values: params.values,
      keep: true,
    },
    read: (rows) => Number(rows[0]![0]),
  };
}

/** Records by id, in the order of `ids`; null for what is not seen. */
export function manyQuery(
  access: Access,
  entity: EntityInfo,
  ids: readonly string[],
  select: Selection | undefined,
  otherwise: Otherwise = 'columns',
): Query<(RecordRow | null)[]> {
  assertReadable(access, entity);
  if (ids.length > MOST_IDS) throw problem('LIMIT_EXCEEDED', `At most ${MOST_IDS} records at once.`, 'ids');
  const params = new Params();
  const valid = ids.map((id) => idOrNull(id));
  const list = params.add(arrayParam([...new Set(valid.filter((id) => id !== null))]), 'bigint[]');
  const projection = compileSelect(access, entity, 't', select, otherwise);
  return {
    statement: {
      text: `SELECT t.id::text, ${projection.list} FROM ${entity.table} t WHERE t.id = ANY (${list})`,
      values: params.values,
      keep: true,
      onePlan: true,
    },
    read(rows) {
      const found = new Map(rows.map((row) => [row[0], projection.fromWire(row.slice(1))]));
      return valid.map((id) => (id === null ? null : (found.get(id) ?? null)));
    },
  };
}

/** One record by id. */
export function oneQuery(
  access: Access,
  entity: EntityInfo,
  id: string,
  select: Selection | undefined,
): Query<RecordRow | null> {
  assertReadable(access, entity);
  const projection = compileSelect(access, entity, 't', select, 'with children');
  return {
    statement: {
      text: `SELECT ${projection.list} FROM ${entity.table} t WHERE t.id = $1::bigint`,
      values: [idOrNull(id)],
      keep: true,
      onePlan: true,
    },
    read: (rows) => (rows[0] ? projection.fromWire(rows[0]) : null),
  };
}

/** What is no key is the key of nothing. */
export function idOrNull(id: string): string | null {
  try {
    return toId(id);
  } catch (error) {
    if (error instanceof Unfit) return null;
    throw error;
  }
}

/** For each of `ids`, the rows that point to it by `field`, in one query. */
export function relatedQuery(
  access: Access,
  entity: EntityInfo,
  fieldName: string,
  ids: readonly string[],
  query: Pick<ListQuery, 'first' | 'sort' | 'filter' | 'select'>,
): Query<Map<string, Page>> {
  assertReadable(access, entity);
  if (ids.length > MOST_IDS) throw problem('LIMIT_EXCEEDED', `At most ${MOST_IDS} records at once.`, 'ids');
  const field = fieldOf(entity, fieldName);
  const right = access.rights(entity).fields[fieldName];
  if (right === 'hidden' || right === 'masked' || right === undefined)
    throw problem('FIELD_DENIED', `${entity.path}.${fieldName} may not be used here.`, fieldName);
  if (field.kind !== 'reference')
    throw problem('FIELD_UNKNOWN', `${entity.path}.${fieldName} is not a reference.`, fieldName);
  const params = new Params();
  const wanted = rowsWanted(query.first);
  const keys = compileSort(access, entity, query.sort ?? defaultOrder(entity, field.name));
  const valid = [...new Set(ids.map(idOrNull).filter((id) => id !== null))];
  const list = params.add(arrayParam(valid), 'bigint[]');
  const rules = [
    `${columnSql('s', field.columns[0]!)} = wanted.id`,
    ...rowRules(access, params, entity, 's', query),
  ];
  const projection: Projection = compileSelect(access, entity, 't', query.select);
  const shown = ['wanted.id::text', ...keySql(keys, 't'), ...projection.columns];
  return {
    statement: {
      text: `SELECT ${shown.join(', ')} FROM unnest(${list}) AS wanted (id) CROSS JOIN LATERAL (SELECT s.* FROM ${entity.table} s WHERE ${rules.join(' AND ')} ORDER BY ${orderSql(keys, 's')} LIMIT ${wanted + 1}) t ORDER BY wanted.id, ${orderSql(keys, 't')}`,
      values: params.values,
      keep: true,
      onePlan: query.filter === undefined,
    },
    read(rows) {
      const byId = Map.groupBy(rows, (row) => row[0]!);
      return new Map(
        ids.map((id) => {
          const own = byId.get(idOrNull(id) ?? '') ?? [];
          const page = own.slice(0, wanted).map((row) => ({
            cursor: writeCursor(entity, keys, row.slice(1, 1 + keys.length)),
            record: projection.fromWire(row.slice(1 + keys.length)),
          }));
          return [id, { rows: page, hasMore: own.length > wanted }];
        }),
      );
    },
  };
}

const defaultOrder = (entity: EntityInfo, field: string): string[] =>
  entity.parent?.field === field ? ['position'] : [];
