import { floatText, geometryText } from './debezium-geometry.ts';
import type { ExactJson } from './exact-json.ts';

/**
 * Debezium's forms of types that the warehouse keeps as the source's own text, brought back to that text.
 * Source of the forms: Debezium documentation, PostgreSQL connector, "Data type mappings"; of the texts:
 * PostgreSQL's output functions.
 */

const INTERVAL = /^P(-?\d+)Y(-?\d+)M(-?\d+)DT(-?\d+)H(-?\d+)M(-?\d+)(?:\.(\d+))?S$/;

/** `interval.handling.mode` string (ISO 8601) as IntervalStyle postgres; null if it is not one. */
export function intervalText(text: string): string | null {
  const match = INTERVAL.exec(text);
  if (match === null) return null;
  const [years = 0, months = 0, days = 0, hours = 0, minutes = 0] = match.slice(1, 6).map(Number);
  const negative = match[6]!.startsWith('-');
  const seconds = BigInt(match[6]!) * 1_000_000n;
  const fraction = BigInt((match[7] ?? '').padEnd(6, '0').slice(0, 6));
  const time =
    BigInt(hours) * 3_600_000_000n +
    BigInt(minutes) * 60_000_000n +
    seconds +
    (negative ? -fraction : fraction);
  const total = years * 12 + months;
  const parts: string[] = [];
  let before = false;
  for (const [value, unit] of [
    [Math.trunc(total / 12), 'year'],
    [total % 12, 'mon'],
    [days, 'day'],
  ] as const) {
    if (value === 0) continue;
    parts.push(`${before && value > 0 ? '+' : ''}${value} ${unit}${value === 1 ? '' : 's'}`);
    before = value < 0;
  }
  if (time !== 0n || parts.length === 0) {
    const sign = time < 0n ? '-' : before ? '+' : '';
    parts.push(`${sign}${clockText(time < 0n ? -time : time)}`);
  }
  return parts.join(' ');
}

/** Hours, minutes, seconds and up to six decimals of a count of microseconds. */
export function clockText(micros: bigint): string {
  const two = (n: bigint) => n.toString().padStart(2, '0');
  const seconds = micros / 1_000_000n;
  const fraction = (micros % 1_000_000n).toString().padStart(6, '0').replace(/0+$/, '');
  const base = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return fraction === '' ? base : `${base}.${fraction}`;
}

/** Types that come as their own text; the connector knows no form for others and sends their text as bytes. */
const TEXTS =
  /^(int4range|int8range|numrange|tsrange|tstzrange|daterange|inet|cidr|macaddr|macaddr8|xml|tsvector|money|citext|ltree|isbn)$/;
const GEOMETRIC = /^(box|lseg|path|polygon|circle|line)$/;

/** The text of a type that has no kind of its own. */
export function otherText(sourceType: string, value: Exclude<ExactJson, null>): string {
  const type = sourceType.replace(/^.*\./, '').replace(/^"|"$/g, '');
  if (/^bit/.test(type)) return bitsText(type, value) ?? String(value);
  if (type === 'hstore') return hstoreText(value) ?? String(value);
  if (type === 'point') return pointText(value) ?? JSON.stringify(value);
  if (GEOMETRIC.test(type) && typeof value === 'object')
    return geometryText(type, value) ?? JSON.stringify(value);
  if (typeof value !== 'string') return typeof value === 'object' ? JSON.stringify(value) : String(value);
  if (TEXTS.test(type) || !BASE64.test(value)) return value;
  const text = Buffer.from(value, 'base64').toString();
  return GEOMETRIC.test(type) ? text.replace(/-?\d[\d.]*(E-?\d+)?/g, (number) => floatText(number)) : text;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Little-endian bytes in base64, or for bit(1) a boolean. */
function bitsText(type: string, value: ExactJson): string | null {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value !== 'string') return null;
  const bytes = Buffer.from(value, 'base64').reverse();
  const digits = bytes.length === 0 ? '' : BigInt(`0x${bytes.toString('hex')}`).toString(2);
  const fixed = /^bit\((\d+)\)$/.exec(type);
  return fixed ? digits.replace(/^0$/, '').padStart(Number(fixed[1]), '0') : digits;
}

function hstoreText(value: ExactJson): string | null {
  let pairs: unknown = value;
  if (typeof value === 'string') {
    if (!value.startsWith('{')) return null;
    try {
      pairs = JSON.parse(value);
    } catch {
      return null; // it is the source's text
    }
  }
  if (typeof pairs !== 'object' || pairs === null || Array.isArray(pairs)) return null;
  const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
  // hstore keeps its pairs by length of the key, then by its bytes.
  return Object.entries(pairs)
    .map(([key, item]) => ({ bytes: Buffer.from(key), key, item }))
    .sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes))
    .map(({ key, item }) => `${quote(key)}=>${item === null ? 'NULL' : quote(String(item))}`)
    .join(', ');
}

function pointText(value: ExactJson): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { x, y } = value as { x?: ExactJson; y?: ExactJson };
  if (x === undefined || y === undefined) return null;
  return `(${floatText(x)},${floatText(y)})`;
}
