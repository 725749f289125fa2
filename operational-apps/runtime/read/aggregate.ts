import { columnSql, type EntityInfo, type FieldInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { fromWire, show } from '../model/values.ts';
import type { AggregateQuery, Json, Values } from '../types.ts';
import { type Access, assertReadable, comparable, Params } from './access.ts';
import { type Query, rowRules } from './list.ts';
import { SORTABLE } from './sort.ts';

const MOST_GROUPS = 1000;
const MOST_KEYS = 4;
const MOST_MEASURES = 20;
const UNITS = ['hour', 'day', 'week', 'month', 'quarter', 'year'];
const GROUPED: ReadonlySet<FieldInfo['kind']> = new Set([...SORTABLE].filter((kind) => kind !== 'id'));
const NUMERIC = new Set<FieldInfo['kind']>(['integer', 'number']);
const ORDERED = new Set<FieldInfo['kind']>(['integer', 'number', 'date', 'dateTime', 'text', 'email']);

interface Output {
  /** As it was asked for: `placed_at:month`, `sum:total`. */
  readonly name: string;
  readonly sql: string;
  show(text: string | null): Json;
}

/**
 * Groups, largest first by the first measure. Date buckets begin at the given unit, in UTC. Errors:
 * FIELD_UNKNOWN, FIELD_DENIED, FILTER_INVALID, LIMIT_EXCEEDED.
 */
export function aggregateQuery(access: Access, entity: EntityInfo, query: AggregateQuery): Query<Values[]> {
  assertReadable(access, entity);
  const { by = [], measures, limit = 100 } = query;
  if (by.length > MOST_KEYS || measures.length > MOST_MEASURES || measures.length === 0)
    throw problem(
      'LIMIT_EXCEEDED',
      `At most ${MOST_KEYS} fields to group by, 1 to ${MOST_MEASURES} measures.`,
    );
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_GROUPS)
    throw problem('LIMIT_EXCEEDED', `\`limit\` is between 1 and ${MOST_GROUPS}.`, 'limit');
  const params = new Params();
  const keys = by.map((text, index) => groupKey(access, entity, text, `by.${index}`));
  const figures = measures.map((text, index) => measure(access, entity, text, `measures.${index}`));
  const rules = rowRules(access, params, entity, 't', query);
  const where = rules.length > 0 ? ` WHERE ${rules.join(' AND ')}` : '';
  const outputs = [...keys, ...figures];
  const places = keys.map((_, index) => index + 1);
  const group = keys.length > 0 ? ` GROUP BY ${places.join(', ')}` : '';
  const order = keys.length > 0 ? ` ORDER BY ${keys.length + 1} DESC NULLS LAST, ${places.join(', ')}` : '';
  return {
    statement: {
      text: `SELECT ${outputs.map((one) => one.sql).join(', ')} FROM ${entity.table} t${where}${group}${order} LIMIT ${limit}`,
      values: params.values,
      keep: true,
    },
    read: (rows) =>
      rows.map((row) =>
        Object.fromEntries(outputs.map((one, index) => [one.name, one.show(row[index] ?? null)])),
      ),
  };
}

function groupKey(access: Access, entity: EntityInfo, text: string, path: string): Output {
  const [name, unit] = text.split(':') as [string, string?];
  const field = comparable(access, entity, name, path);
  if (!GROUPED.has(field.kind) || field.model?.type === 'richText')
    throw problem('FILTER_INVALID', `${entity.path}.${name} cannot be grouped by.`, path);
  const column = columnSql('t', field.columns[0]!);
  if (unit === undefined)
    return { name: text, sql: column, show: (value) => show(field.kind, fromWire(field.kind, value)) };
  if (
    !UNITS.includes(unit) ||
    !['date', 'dateTime'].includes(field.kind) ||
    (field.kind === 'date' && unit === 'hour')
  )
    throw problem('FILTER_INVALID', `\`${text}\`: dates are grouped by ${UNITS.join(', ')}.`, path);
  const local = field.kind === 'date' ? `${column}::timestamp` : `${column} AT TIME ZONE 'UTC'`;
  const start = `date_trunc('${unit}', ${local})`;
  return unit === 'hour'
    ? { name: text, sql: `${start} AT TIME ZONE 'UTC'`, show: (value) => show('dateTime', value) }
    : { name: text, sql: `${start}::date`, show: (value) => value };
}

function measure(access: Access, entity: EntityInfo, text: string, path: string): Output {
  if (text === 'count') return { name: text, sql: 'count(*)', show: (value) => Number(value) };
  const [operator, name = ''] = text.split(':') as [string, string?];
  if (!['sum', 'avg', 'min', 'max'].includes(operator))
    throw problem(
      'FILTER_INVALID',
      'A measure is count, sum:field, avg:field, min:field or max:field.',
      path,
    );
  const field = comparable(access, entity, name, path);
  const fits = operator === 'sum' || operator === 'avg' ? NUMERIC : ORDERED;
  if (!fits.has(field.kind) || field.model?.type === 'richText')
    throw problem('FILTER_INVALID', `\`${operator}\` does not fit ${entity.path}.${name}.`, path);
  const column = columnSql('t', field.columns[0]!);
  if (operator === 'avg')
    return {
      name: text,
      sql: `round(avg(${column}), 6)`,
      show: (value) => (value === null ? null : value.replace(/\.?0+$/, '')),
    };
  return { name: text, sql: `${operator}(${column})`, show: (value) => show(field.kind, value) };
}
