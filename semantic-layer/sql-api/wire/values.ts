import { SqlError } from '../errors.ts';
import type { SqlType } from '../types.ts';
import { numericFromBinary, numericToBinary } from './numeric.ts';

/** A value between engine and wire: PostgreSQL's text form, or null. Intervals as months, days, microseconds. */
export type Value = string | null;

/** 2000-01-01, from which PostgreSQL's binary forms count. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
const DAY_MS = 86_400_000;

/** Bytes of a value in text (0) or binary (1) form. Errors: 0A000 for a binary form that is not served. */
export function encode(value: Value, type: SqlType, format: number): Buffer | null {
  if (value === null) return null;
  if (format === 0) return Buffer.from(type === 'bool' ? value[0]! : value, 'utf8');
  const bytes = Buffer.alloc(8);
  switch (type) {
    case 'bool':
      return Buffer.from([value.startsWith('t') ? 1 : 0]);
    case 'int4':
      bytes.writeInt32BE(Number(value));
      return bytes.subarray(0, 4);
    case 'int8':
      bytes.writeBigInt64BE(BigInt(value));
      return bytes;
    case 'float8':
      bytes.writeDoubleBE(Number(value));
      return bytes;
    case 'numeric':
      return numericToBinary(value);
    case 'date':
      bytes.writeInt32BE((Date.parse(`${value}T00:00:00Z`) - EPOCH_MS) / DAY_MS);
      return bytes.subarray(0, 4);
    case 'timestamp':
    case 'timestamptz':
      bytes.writeBigInt64BE(microsOf(value));
      return bytes;
    case 'text':
    case 'unknown':
      return Buffer.from(value, 'utf8');
    default:
      throw new SqlError('0A000', `no binary output of type ${type}`, { hint: 'Ask for the text form.' });
  }
}

function microsOf(text: string): bigint {
  const [, whole, fraction = ''] = /^([^.+]+)(?:\.(\d+))?/.exec(text.replace(' ', 'T'))!;
  return BigInt(Date.parse(`${whole}Z`) - EPOCH_MS) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}

const pad = (micros: bigint): string => (micros === 0n ? '' : `.${String(micros).padStart(6, '0')}`);

function textOfMicros(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const at = new Date(Number((micros - fraction) / 1000n) + EPOCH_MS).toISOString();
  return `${at.slice(0, 10)} ${at.slice(11, 19)}${pad(fraction)}`;
}

/** A bound parameter as text. */
export function decode(bytes: Buffer | null, type: SqlType, format: number, size: number | undefined): Value {
  if (bytes === null) return null;
  if (format === 0) return bytes.toString('utf8');
  switch (type) {
    case 'bool':
      return bytes[0] === 1 ? 'true' : 'false';
    case 'int4':
      return String(size === 2 ? bytes.readInt16BE() : bytes.readInt32BE());
    case 'int8':
      return String(bytes.readBigInt64BE());
    case 'float8':
      return String(size === 4 ? bytes.readFloatBE() : bytes.readDoubleBE());
    case 'numeric':
      return numericFromBinary(bytes);
    case 'date':
      return new Date(bytes.readInt32BE() * DAY_MS + EPOCH_MS).toISOString().slice(0, 10);
    case 'timestamp':
    case 'timestamptz':
      return textOfMicros(bytes.readBigInt64BE());
    case 'text':
    case 'unknown':
      return bytes.toString('utf8');
    default:
      throw new SqlError('0A000', `no binary input of type ${type}`, { hint: 'Send it as text.' });
  }
}
