import { ADDRESS_PARTS } from '../../definitions/index.ts';
import { columnSql, type EntityInfo, type FieldInfo } from '../model/catalogue.ts';
import { toId, toParam, toText, Unfit } from '../model/convert.ts';
import { problem } from '../model/problem.ts';
import { arrayParam } from '../model/values.ts';
import type { Condition, Filter, Json } from '../types.ts';
import { type Access, assertReadable, comparable, type Params } from './access.ts';

const MAX_DEPTH = 10;
const MAX_CONDITIONS = 200;
const MAX_LIST = 1000;

export const OPERATORS = [
  'eq',
  'ne',
  'in',
  'lt',
  'lte',
  'gt',
  'gte',
  'isNull',
  'contains',
  'startsWith',
  'all',
  'any',
] as const;
type Operator = (typeof OPERATORS)[number];

const EQUALITY: readonly Operator[] = ['eq', 'ne', 'in', 'isNull'];
const ORDERED: readonly Operator[] = [...EQUALITY, 'lt', 'lte', 'gt', 'gte'];
const TEXT: readonly Operator[] = [...ORDERED, 'contains', 'startsWith'];
const ALLOWED: Readonly<Record<FieldInfo['kind'], readonly Operator[]>> = {
  id: ORDERED,
  text: TEXT,
  email: TEXT,
  integer: ORDERED,
  number: ORDERED,
  boolean: EQUALITY,
  date: ORDERED,
  dateTime: ORDERED,
  select: EQUALITY,
  multiSelect: ['all', 'any', 'isNull'],
  address: ['isNull'],
  json: ['isNull'],
  reference: EQUALITY,
  anyReference: ['eq', 'ne', 'isNull'],
  childTable: [],
};
const SIGN = { lt: '<', lte: '<=', gt: '>', gte: '>=' } as const;

interface Context {
  readonly access: Access;
  readonly params: Params;
  readonly count: { conditions: number };
}

/** SQL that holds for the rows of `alias` a filter wants. Errors: FILTER_INVALID, FIELD_UNKNOWN, FIELD_DENIED. */
export function compileFilter(
  access: Access,
  params: Params,
  entity: EntityInfo,
  alias: string,
  filter: Filter,
): string {
  return group({ access, params, count: { conditions: 0 } }, entity, alias, filter, 'filter', 1);
}

const invalid = (message: string, path: string) => problem('FILTER_INVALID', message, path);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function group(
  context: Context,
  entity: EntityInfo,
  alias: string,
  filter: unknown,
  path: string,
  depth: number,
): string {
  if (depth > MAX_DEPTH) throw invalid(`The filter is nested more than ${MAX_DEPTH} deep.`, path);
  if (!isObject(filter)) throw invalid('A filter is an object of fields.', path);
  const parts: string[] = [];
  for (const [name, value] of Object.entries(filter)) {
    if (value === undefined) continue;
    const at = `${path}.${name}`;
    context.count.conditions += 1;
    if (context.count.conditions > MAX_CONDITIONS)
      throw invalid(`The filter has more than ${MAX_CONDITIONS} conditions.`, at);
    if (name === 'and' || name === 'or') {
      if (!Array.isArray(value)) throw invalid(`\`${name}\` takes a list of filters.`, at);
      const inner = value.map((one, index) =>
        group(context, entity, alias, one, `${at}.${index}`, depth + 1),
      );
      // Nothing that must hold holds; of nothing, nothing holds.
      parts.push(
        inner.length === 0 ? String(name === 'and') : `(${inner.join(name === 'and' ? ' AND ' : ' OR ')})`,
      );
    } else if (name === 'not')
      parts.push(`(${group(context, entity, alias, value, at, depth + 1)}) IS NOT TRUE`);
    else {
      const field = comparable(context.access, entity, name, at);
      parts.push(onField(context, alias, field, value, at, depth));
    }
  }
  return parts.length === 0 ? 'true' : parts.length === 1 ? parts[0]! : `(${parts.join(' AND ')})`;
}

function onField(
  context: Context,
  alias: string,
  field: FieldInfo,
  value: unknown,
  path: string,
  depth: number,
): string {
  if (!isObject(value)) throw invalid('A condition is an object such as {"eq": 1}.', path);
  if (field.kind === 'childTable' || (field.kind === 'reference' && !isCondition(context, field, value)))
    return through(context, alias, field, value, path, depth);
  if (field.kind === 'address' && !('isNull' in value)) return onAddress(context, alias, field, value, path);
  const parts = Object.entries(value).map(([name, operand]) =>
    operand === undefined
      ? 'true'
      : condition(context.params, alias, field, name, operand as Json, `${path}.${name}`),
  );
  return parts.length === 0 ? 'true' : parts.length === 1 ? parts[0]! : `(${parts.join(' AND ')})`;
}

function isCondition(context: Context, field: FieldInfo, value: Readonly<Record<string, unknown>>): boolean {
  const target = context.access.catalogue.entity(field.entities[0]!);
  return Object.keys(value).every((key) => EQUALITY.includes(key as Operator) && !target.fields.has(key));
}

/** Some row that is pointed to, or some row of a child table, is as wanted; only rows that may be seen count. */
function through(
  context: Context,
  alias: string,
  field: FieldInfo,
  value: unknown,
  path: string,
  depth: number,
): string {
  const target = context.access.catalogue.entity(field.entities[0]!);
  assertReadable(context.access, target, path);
  const inner = context.params.alias();
  const link =
    field.kind === 'childTable'
      ? `${columnSql(inner, target.parent!.column)} = ${alias}.id`
      : `${inner}.id = ${columnSql(alias, field.columns[0]!)}`;
  const rule = group(context, target, inner, value, path, depth + 1);
  return `EXISTS (SELECT 1 FROM ${target.table} ${inner} WHERE ${link} AND ${rule})`;
}

function onAddress(
  context: Context,
  alias: string,
  field: FieldInfo,
  value: Readonly<Record<string, unknown>>,
  path: string,
): string {
  const parts = Object.entries(value).map(([part, condition]) => {
    const index = ADDRESS_PARTS.indexOf(part as (typeof ADDRESS_PARTS)[number]);
    if (index < 0) throw invalid(`An address has no part \`${part.slice(0, 50)}\`.`, `${path}.${part}`);
    const text: FieldInfo = { ...field, kind: 'text', columns: [field.columns[index]!], model: undefined };
    return onField(context, alias, text, condition, `${path}.${part}`, 1);
  });
  return parts.length === 0 ? 'true' : `(${parts.join(' AND ')})`;
}

function condition(
  params: Params,
  alias: string,
  field: FieldInfo,
  name: string,
  operand: Json,
  path: string,
): string {
  const operator = name as Operator;
  if (!OPERATORS.includes(operator)) throw invalid(`There is no operator \`${name.slice(0, 50)}\`.`, path);
  if (!ALLOWED[field.kind].includes(operator))
    throw invalid(`\`${operator}\` does not fit a field of kind ${field.kind}.`, path);
  const column = columnSql(alias, field.columns[0]!);
  if (operator === 'isNull') {
    if (typeof operand !== 'boolean') throw invalid('`isNull` takes true or false.', path);
    const all = field.columns.map((one) => `${columnSql(alias, one)} IS NULL`).join(' AND ');
    return operand ? `(${all})` : `NOT (${all})`;
  }
  try {
    return compare(params, alias, column, field, operator, operand);
  } catch (error) {
    if (error instanceof Unfit) throw invalid(`\`${operator}\` must be ${error.message}.`, path);
    throw error;
  }
}

function compare(
  params: Params,
  alias: string,
  column: string,
  field: FieldInfo,
  operator: Exclude<Operator, 'isNull'>,
  operand: Json,
): string {
  // Digits and length of what is compared with need not fit the column.
  const type = field.kind === 'number' ? 'numeric' : field.sqlType;
  const loose: FieldInfo = {
    ...field,
    sqlType: type,
    ...(field.kind === 'email' ? { kind: 'text', model: undefined } : {}),
  };
  switch (operator) {
    case 'eq':
    case 'ne': {
      const not = operator === 'ne';
      if (operand === null) return `${column} IS ${not ? 'NOT ' : ''}NULL`;
      if (field.kind === 'anyReference') return anyEquals(params, alias, field, operand, not);
      const value = params.add(toParam(loose, operand), type);
      return not ? `${column} IS DISTINCT FROM ${value}` : `${column} = ${value}`;
    }
    case 'in': {
      if (!Array.isArray(operand) || operand.length > MAX_LIST)
        throw new Unfit(`a list of at most ${MAX_LIST} values`);
      const values = (operand as Json[]).filter((one) => one !== null);
      const list = values.map((one) => toParam(loose, one) as string);
      const among = `${column} = ANY (${params.add(arrayParam(list), `${type}[]`)})`;
      return values.length < operand.length ? `(${among} OR ${column} IS NULL)` : among;
    }
    case 'contains':
    case 'startsWith': {
      const text = toText(operand);
      if (text.length > 500) throw new Unfit('at most 500 characters long');
      const pattern = `${operator === 'contains' ? '%' : ''}${text.replace(/[\\%_]/g, '\\$&')}%`;
      return `${column} ILIKE ${params.add(pattern, 'text')}`;
    }
    case 'all':
    case 'any':
      if (operand === null) throw new Unfit('a list');
      return `${column} ${operator === 'all' ? '@>' : '&&'} ${params.add(toParam(field, operand), type)}`;
    default: {
      if (operand === null) throw new Unfit('a value');
      return `${column} ${SIGN[operator]} ${params.add(toParam(loose, operand), type)}`;
    }
  }
}

function anyEquals(params: Params, alias: string, field: FieldInfo, operand: Json, not: boolean): string {
  const { entity, id } = isObject(operand) ? operand : {};
  if (typeof entity !== 'string' || !field.entities.includes(entity))
    throw new Unfit(`an object {entity, id} with one of ${field.entities.join(', ')}`);
  const [type, key] = field.columns.map((one) => columnSql(alias, one));
  const equal = `(${type} = ${params.add(entity, 'text')} AND ${key} = ${params.add(toId((id ?? null) as Json), 'bigint')})`;
  return not ? `${equal} IS NOT TRUE` : equal;
}

export type { Condition };
