import { ODD_MAX_DATE, ODD_MIN_DATE, type ScalarType } from '#kernel';
import { decimalOf } from './map.ts';

/** A value in the form ClickHouse reads; `odd` when it stands in for another one that goes to `_raw`. */
export interface Plain {
  readonly text: string | null;
  readonly odd: boolean;
}

const DATE =
  /^(\d{4,})-(\d{2})-(\d{2})(?:[ T](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?)?(?:Z|\+00(?::?00)?)?( BC)?$/;

const MIN_TIME = `${ODD_MIN_DATE} 00:00:00`;
const MAX_TIME = `${ODD_MAX_DATE} 23:59:59.999999`;

/** Source text (DateStyle ISO, UTC) of a date or timestamp; null if it is not one. */
export function plainTime(text: string, kind: 'date' | 'timestamp'): Plain | null {
  const low = kind === 'date' ? ODD_MIN_DATE : MIN_TIME;
  const high = kind === 'date' ? ODD_MAX_DATE : MAX_TIME;
  if (text === 'infinity') return { text: high, odd: true };
  if (text === '-infinity') return { text: low, odd: true };
  const match = DATE.exec(text);
  if (match === null) return null;
  const [, year = '', month, day, time = '00:00:00', fraction = '', bc] = match;
  if (bc !== undefined || Number(year) < 1900) return { text: low, odd: true };
  if (Number(year) > 2299) return { text: high, odd: true };
  const date = `${year}-${month}-${day}`;
  if (kind === 'date') return { text: date, odd: false };
  return {
    text: fraction === '' ? `${date} ${time}` : `${date} ${time}.${fraction.slice(0, 6)}`,
    odd: false,
  };
}

const NUMERIC = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Plain digits of a numeric; exponents are written out. Null if it is not a number. */
function expand(text: string): string | null {
  const match = NUMERIC.exec(text);
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponent] = match;
  if (whole === '' && fraction === '') return null;
  const minus = sign === '-' ? '-' : '';
  if (exponent === undefined) return `${minus}${whole || '0'}${fraction === '' ? '' : `.${fraction}`}`;
  const shift = Number(exponent);
  if (Math.abs(shift) > 1000) return null;
  const digits = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `${minus}0.${'0'.repeat(-point)}${digits}`;
  const padded = digits.padEnd(point, '0');
  return `${minus}${padded.slice(0, point)}${padded.length > point ? `.${padded.slice(point)}` : ''}`;
}

/** Source text of a numeric for its Decimal column; null if it is not a number. */
export function plainNumeric(text: string, type: ScalarType): Plain | null {
  const decimal = decimalOf(type);
  if (decimal === null) return { text, odd: false };
  if (/^(NaN|[+-]?Infinity)$/.test(text)) return { text: null, odd: true };
  const digits = expand(text);
  if (digits === null) return null;
  const point = digits.indexOf('.');
  const whole = (point < 0 ? digits : digits.slice(0, point)).replace(/^-?0*/, '').length;
  const fraction = point < 0 ? 0 : digits.slice(point + 1).replace(/0+$/, '').length;
  const fits = whole <= decimal.precision - decimal.scale && fraction <= decimal.scale;
  if (!fits) return { text: null, odd: true };
  return {
    text: fraction === 0 && point >= 0 ? digits.slice(0, point) : trim(digits, point, decimal.scale),
    odd: false,
  };
}

const trim = (digits: string, point: number, scale: number): string =>
  point < 0 ? digits : digits.slice(0, point + 1 + scale);
