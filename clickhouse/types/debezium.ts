import type { ScalarType } from '#kernel';
import type { ExactJson } from './exact-json.ts';
import { decimalOf } from './map.ts';

/**
 * Debezium's forms of a scalar, brought to the source's text form (bytes: the bytes). Native events
 * pass through. Null if the JSON value cannot be one of this type.
 *
 * Without embedded schema the unit of a number follows from the column: `time.precision.mode`
 * adaptive (its default) counts milliseconds for a declared precision up to 3, else microseconds.
 * Source: Debezium documentation, PostgreSQL connector, "Temporal types", "Decimal types".
 */
export function debeziumScalar(type: ScalarType, value: ExactJson): string | Buffer | null {
  if (typeof value === 'boolean') return type.kind === 'bool' || isTextual(type) ? String(value) : null;
  if (typeof value === 'string') return fromText(type, value);
  if (typeof value === 'number') return fromText(type, String(value));
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
      return INTEGER.test(text) ? dateOf(BigInt(text) * 86_400_000_000n) : text;
    case 'timestamp':
      return INTEGER.test(text) ? timestampOf(microseconds(type, text)) : text;
    case 'timestamptz':
      return INTEGER.test(text) ? timestampOf(microseconds(type, text)) : zoned(text);
    case 'time':
      return INTEGER.test(text) ? clock(microseconds(type, text)) : text;
    case 'interval':
      return INTEGER.test(text)
        ? `${BigInt(text) / 1_000_000n}.${(BigInt(text) % 1_000_000n).toString().padStart(6, '0')} secs`
        : text;
    case 'numeric': {
      const decimal = decimalOf(type);
      const looksBinary = !/^[+-]?[\d.]+([eE][+-]?\d+)?$|^NaN$|Infinity$/.test(text);
      return looksBinary && decimal !== null && type.precision !== undefined
        ? unscale(text, decimal.scale)
        : text;
    }
    default:
      return text;
  }
}

/** Debezium's timestamps for infinity and -infinity, in microseconds. */
const INFINITY = 9_223_372_036_825_200_000n;
const MINUS_INFINITY = -9_223_372_036_832_400_000n;

function microseconds(type: ScalarType, text: string): bigint {
  const declared = /\((\d)\)/.exec(type.sourceType)?.[1];
  const count = BigInt(text);
  if (count === INFINITY || count === MINUS_INFINITY) return count;
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
  if (micros === INFINITY) return 'infinity';
  if (micros === MINUS_INFINITY) return '-infinity';
  const days = floorDiv(micros, DAY);
  const [date, bc] = civil(days).split(' ');
  return `${date} ${clock(micros - days * DAY)}${bc === undefined ? '' : ' BC'}`;
}

function clock(micros: bigint): string {
  const two = (n: bigint) => n.toString().padStart(2, '0');
  const seconds = micros / 1_000_000n;
  const fraction = (micros % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  const base = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return fraction === '' ? base : `${base}.${fraction}`;
}

/** ISO text with an offset, as UTC. */
function zoned(text: string): string {
  const match = /^(\d{4,}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d+)?)([+-])(\d{2})(?::?(\d{2}))?$/.exec(
    text,
  );
  if (match === null) return text;
  const [, date = '', time = '', sign, hours = '0', minutes = '0'] = match;
  const offset = Number(hours) * 60 + Number(minutes);
  if (offset === 0 || date.length > 10) return text;
  const [whole = '', fraction = ''] = time.split('.');
  const shifted = Date.parse(`${date}T${whole}Z`) - (sign === '-' ? -1 : 1) * offset * 60_000;
  const micros = BigInt(shifted) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
  return timestampOf(micros);
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
