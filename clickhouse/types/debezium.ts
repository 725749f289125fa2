import type { ScalarType } from '#kernel';
import { clockText, intervalText, otherText } from './debezium-other.ts';
import type { ExactJson } from './exact-json.ts';
import { decimalOf } from './map.ts';

/**
 * Debezium's forms of a scalar, brought to the source's text form (bytes: the bytes). Native events
 * pass through. Null if the JSON value cannot be one of this type.
 *
 * Without embedded schema the unit of a number follows from the column: `time.precision.mode` adaptive
 * (its default) counts milliseconds for a declared precision up to 3, else microseconds. Nothing can be told
 * from a number's size: 9999-12-31 is as good a moment as any. The texts of isostring are read as well.
 * Source: Debezium documentation, PostgreSQL connector, "Temporal types", "Decimal types".
 */
export function debeziumScalar(type: ScalarType, value: ExactJson, foreign = false): string | Buffer | null {
  // Texts of types without a kind look like Debezium's base64 of them: who wrote the event has to be known.
  if (foreign && type.kind === 'other' && value !== null) return otherText(type.sourceType, value);
  if (typeof value === 'boolean') return type.kind === 'bool' || isTextual(type) ? String(value) : null;
  if (typeof value === 'string') return fromText(type, value);
  if (typeof value === 'number') return fromText(type, Object.is(value, -0) ? '-0' : String(value));
  if (value === null) return null;
  if (type.kind === 'numeric' && !Array.isArray(value)) {
    const { scale, value: unscaled } = value as { scale?: ExactJson; value?: ExactJson };
    if (scale !== undefined && typeof unscaled === 'string') return unscale(unscaled, Number(scale));
    return null;
  }
  return isTextual(type) ? JSON.stringify(value) : null;
}

const isTextual = (type: ScalarType): boolean =>
  type.kind === 'text' || type.kind === 'json' || type.kind === 'other' || type.kind === 'enum';

const INTEGER = /^-?\d+$/;

function fromText(type: ScalarType, text: string): string | Buffer | null {
  switch (type.kind) {
    case 'bytes':
      return /^[A-Za-z0-9+/]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : null;
    case 'date':
      return INTEGER.test(text) ? (INFINITE_DAYS[text] ?? dateOf(BigInt(text) * DAY)) : text;
    case 'timestamp':
      return INTEGER.test(text) ? timestampOf(microseconds(type, text)) : text;
    case 'timestamptz':
      return INTEGER.test(text) ? timestampOf(microseconds(type, text)) : zoned(text);
    case 'time':
      return INTEGER.test(text) ? clockText(microseconds(type, text)) : text.replace(/Z$/, '');
    case 'timetz':
      return text.replace(/Z$/, '+00');
    case 'interval':
      if (INTEGER.test(text)) return intervalText(`P0Y0M0DT0H0M${secondsOf(BigInt(text))}S`);
      return intervalText(text) ?? text;
    case 'numeric':
      return numericOf(type, text);
    default:
      return text;
  }
}

/** `decimal.handling.mode` string names what is no number; one with a negative scale has zeros behind the point. */
const NO_NUMBERS: Readonly<Record<string, string>> = {
  NAN: 'NaN',
  POSITIVE_INFINITY: 'Infinity',
  NEGATIVE_INFINITY: '-Infinity',
};

function numericOf(type: ScalarType, text: string): string | null {
  if (NO_NUMBERS[text] !== undefined) return NO_NUMBERS[text];
  if ((type.scale ?? 0) < 0) return text.replace(/\.0*$/, '');
  const decimal = decimalOf(type);
  const looksBinary = !/^[+-]?[\d.]+([eE][+-]?\d+)?$|^NaN$|Infinity$/.test(text);
  return looksBinary && decimal !== null && type.precision !== undefined
    ? unscale(text, decimal.scale)
    : text;
}

/**
 * What its count of days since 1970 makes of infinity (up to Debezium 3.6, and from 3.7 on) and -infinity; all
 * are outside of PostgreSQL's dates.
 */
const INFINITE_DAYS: Readonly<Record<string, string>> = {
  '2146033979': 'infinity',
  '-2147472692': 'infinity',
  '-2147472691': '-infinity',
};

/** Debezium's timestamps for infinity and -infinity, in microseconds: up to 3.6, and from 3.7 on. */
const INFINITY: ReadonlySet<bigint> = new Set([9_223_372_036_825_200_000n, 2n ** 63n - 1n]);
const MINUS_INFINITY: ReadonlySet<bigint> = new Set([-9_223_372_036_832_400_000n, -(2n ** 63n)]);

/** A count in microseconds. */
function microseconds(type: ScalarType, text: string): bigint {
  const declared = /\((\d)\)/.exec(type.sourceType)?.[1];
  const count = BigInt(text);
  if (INFINITY.has(count) || MINUS_INFINITY.has(count)) return count;
  return declared !== undefined && Number(declared) <= 3 ? count * 1000n : count;
}

const floorDiv = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b;

function civil(days: bigint): string {
  // Days to year, month, day by eras of 400 years starting on 1 March (proleptic Gregorian).
  const shifted = days + 719_468n;
  const era = floorDiv(shifted, 146_097n);
  const dayOfEra = shifted - era * 146_097n;
  const yearOfEra = (dayOfEra - dayOfEra / 1460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n;
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n);
  const monthIndex = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * monthIndex + 2n) / 5n + 1n;
  const month = monthIndex < 10n ? monthIndex + 3n : monthIndex - 9n;
  const year = yearOfEra + era * 400n + (month <= 2n ? 1n : 0n);
  const shown = year > 0n ? year : 1n - year;
  const text = `${shown.toString().padStart(4, '0')}-${month.toString().padStart(2, '0')}-${day.toString().padStart(2, '0')}`;
  return year > 0n ? text : `${text} BC`;
}

const DAY = 86_400_000_000n;

export const dateOf = (micros: bigint): string => civil(floorDiv(micros, DAY));

export function timestampOf(micros: bigint): string {
  if (INFINITY.has(micros)) return 'infinity';
  if (MINUS_INFINITY.has(micros)) return '-infinity';
  const days = floorDiv(micros, DAY);
  const [date, bc] = civil(days).split(' ');
  return `${date} ${clockText(micros - days * DAY)}${bc === undefined ? '' : ' BC'}`;
}

/** Seconds of a count of microseconds. */
function secondsOf(micros: bigint): string {
  const size = micros < 0n ? -micros : micros;
  const fraction = (size % 1_000_000n).toString().padStart(6, '0');
  return `${micros < 0n ? '-' : ''}${size / 1_000_000n}.${fraction}`;
}

const ISO =
  /^([+-]?)(\d{4,})(-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?(?:Z|([+-])(\d{2})(?::?(\d{2}))?)$/;

/** ISO text with an offset as the source's own in UTC. Years are counted with a year 0. */
function zoned(text: string): string {
  const match = ISO.exec(text);
  if (match === null) return text;
  const [, sign, digits = '', days = '', time = '', decimals = '', east, hours = '0', minutes = '0'] = match;
  const offset = (Number(hours) * 60 + Number(minutes)) * (east === '-' ? -1 : 1);
  const fraction = decimals.padEnd(6, '0').slice(0, 6).replace(/0+$/, '');
  if (offset !== 0 && digits.length === 4 && sign === '') {
    const shifted = Date.parse(`${digits}${days}T${time}Z`) - offset * 60_000;
    const moment = timestampOf(BigInt(shifted) * 1000n + BigInt(decimals.padEnd(6, '0').slice(0, 6)));
    return moment.replace(/( BC)?$/, '+00$1');
  }
  if (offset !== 0) return text;
  const year = Number(`${sign}${digits}`);
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0');
  return `${shown}${days} ${time}${fraction === '' ? '' : `.${fraction}`}+00${year > 0 ? '' : ' BC'}`;
}

/** Debezium's `precise` decimals: base64 of a big-endian two's complement integer. */
function unscale(base64: string, scale: number): string | null {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length === 0) return null;
  const value = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const sign = value < 0n ? '-' : '';
  if (scale <= 0) return `${sign}${digits}${'0'.repeat(-scale)}`;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
