import { chLiteral } from '#kernel';
import type { Type } from '../types.ts';
import { NotInWarehouse } from './places.ts';

/** As wide as a Decimal can be: what is worked out from columns has as many digits as PostgreSQL shows. */
export const SCALE = 38;

const TYPES: Readonly<Partial<Record<Type['kind'], string>>> = {
  boolean: 'Bool',
  integer: 'Int256',
  decimal: `Decimal(76, ${SCALE})`,
  text: 'String',
  date: 'Date32',
  dateTime: "DateTime64(6, 'UTC')",
  json: 'String',
  reference: 'Int64',
};

const NUMBER = /^-?\d+(\.\d+)?$/;

/** A constant. Numbers with a point are exact decimals, never floating point. */
export function literalSql(value: string | boolean | null, type: Type): string {
  if (value === null) {
    const name = TYPES[type.kind];
    if (name !== undefined) return `CAST(NULL, 'Nullable(${name})')`;
    if (type.kind === 'null' || type.kind === 'anyReference' || type.kind === 'address') return 'NULL';
    throw new NotInWarehouse('a list that is null');
  }
  if (typeof value === 'boolean') return String(value);
  switch (type.kind) {
    case 'integer':
    case 'decimal':
      if (!NUMBER.test(value)) throw new Error('a number literal that is none');
      if (value.includes('.')) return `toDecimal256('${value}', ${SCALE})`;
      return value.length > 18 ? `toInt256('${value}')` : value;
    case 'text':
      return chLiteral(value);
    case 'date':
      return `toDate32(${chLiteral(value)})`;
    case 'dateTime':
      return `toDateTime64(${chLiteral(instantText(value))}, 6, 'UTC')`;
    default:
      throw new NotInWarehouse(`a constant of type ${type.kind}`);
  }
}

/** `2026-01-31T12:00Z` as `2026-01-31 12:00:00`. */
const instantText = (iso: string): string => {
  const text = iso.replace('T', ' ').replace(/Z$/, '');
  return /:\d{2}:\d{2}/.test(text) ? text : `${text}:00`;
};

/** A number in the type sums and products of it are worked out in: none of them runs over in silence. */
export const wideNumber = (sql: string, type: Type, to: 'integer' | 'decimal' = kindOf(type)): string =>
  to === 'integer' ? `toInt256(${sql})` : `toDecimal256(${sql}, ${SCALE})`;

const kindOf = (type: Type): 'integer' | 'decimal' => (type.kind === 'integer' ? 'integer' : 'decimal');

/** Text form of a value, the same as PostgreSQL's. */
export function textSql(sql: string, type: Type): string {
  switch (type.kind) {
    case 'text':
      return sql;
    case 'date':
    case 'integer':
    case 'reference':
      return `toString(${sql})`;
    case 'dateTime':
      return `formatDateTime(${sql}, '%Y-%m-%dT%H:%i:%SZ')`;
    case 'boolean':
      return `multiIf((${sql}) IS NULL, NULL, ${sql}, 'true', 'false')`;
    default:
      // PostgreSQL shows the zeros its column ends in, ClickHouse does not.
      throw new NotInWarehouse(`the text of a ${type.kind}`);
  }
}

/** Of decimals; NULL where it is divided by zero. Rows whose divisor is NULL or zero are divided by one first. */
export const quotientSql = (dividend: string, divisor: string): string =>
  `if(ifNull(${divisor} = 0, true), NULL, divideDecimal(${dividend}, ifNull(nullIf(${divisor}, toDecimal256(0, ${SCALE})), toDecimal256(1, ${SCALE})), ${SCALE}))`;
