import {
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import type { SqlType } from '../types.ts';
import type { Value } from '../wire/values.ts';

/** A value of the engine in PostgreSQL's text form. */
export function printed(value: DuckDBValue, type: SqlType): Value {
  if (value === null || value === undefined) return null;
  if (value instanceof DuckDBDecimalValue) return decimal(value.toString(), type);
  if (value instanceof DuckDBIntervalValue) return interval(value);
  if (value instanceof DuckDBTimestampValue) {
    const text = value
      .toString()
      .replace(/(\.\d*?)0+$/, '$1')
      .replace(/\.$/, '');
    return type === 'date' ? text.slice(0, 10) : type === 'timestamptz' ? `${text}+00` : text;
  }
  if (value instanceof DuckDBDateValue)
    return type === 'date' ? value.toString() : `${value.toString()} 00:00:00`;
  if (typeof value === 'number') return double(value);
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return String(value);
}

const decimal = (text: string, type: SqlType): string => {
  const plain = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  return type === 'int4' || type === 'int8' ? plain.split('.')[0]! : plain === '-0' ? '0' : plain;
};

const double = (value: number): string => {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
};

const unit = (count: number, name: string): string[] =>
  count === 0 ? [] : [`${count} ${name}${Math.abs(count) === 1 && count > 0 ? '' : 's'}`];

function interval({ months, days, micros }: DuckDBIntervalValue): string {
  const [years, rest] = [Math.trunc(months / 12), months % 12];
  const parts = [...unit(years, 'year'), ...unit(rest, 'mon'), ...unit(days, 'day')];
  if (micros !== 0n || parts.length === 0) {
    const total = micros < 0n ? -micros : micros;
    const seconds = total / 1_000_000n;
    const clock = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n]
      .map((one) => String(one).padStart(2, '0'))
      .join(':');
    const fraction = total % 1_000_000n;
    const tail = fraction === 0n ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
    parts.push(`${micros < 0n ? '-' : ''}${clock}${tail}`);
  }
  return parts.join(' ');
}
