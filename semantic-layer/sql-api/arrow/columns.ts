import { type DuckDBType, DuckDBTypeId, type DuckDBValue } from '@duckdb/node-api';
import * as arrow from 'apache-arrow';
import { printed } from '../run/printed.ts';
import type { SqlType } from '../types.ts';

/** Arrow's type of a column, and how a chunk of its values becomes Arrow's buffers. */
export interface ArrowColumn {
  readonly type: arrow.DataType;
  readonly data: (values: readonly DuckDBValue[]) => arrow.Data;
}

const MICROS_PER_DAY = 86_400_000_000n;

/**
 * The column of a statement's result: 64-bit integers and decimals stay exact, times are microseconds (with zone
 * UTC where PostgreSQL's type has one), intervals are PostgreSQL's text.
 */
export function arrowColumn(held: DuckDBType, type: SqlType): ArrowColumn {
  switch (held.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return { type: new arrow.Bool(), data: bits };
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
      return fixed(new arrow.Int32(), (length) => new Int32Array(length), Number);
    case DuckDBTypeId.UINTEGER:
    case DuckDBTypeId.BIGINT:
      return fixed(new arrow.Int64(), (length) => new BigInt64Array(length), BigInt as ToBig);
    case DuckDBTypeId.UBIGINT:
    case DuckDBTypeId.HUGEINT:
      return decimal(0, (value) => value as bigint);
    case DuckDBTypeId.DECIMAL:
      return decimal((held as { scale: number }).scale, (value) => (value as { value: bigint }).value);
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
      return fixed(new arrow.Float64(), (length) => new Float64Array(length), Number);
    case DuckDBTypeId.DATE:
      return type === 'date' ? days((value) => (value as { days: number }).days) : texts(type);
    case DuckDBTypeId.TIMESTAMP: {
      const micros = (value: DuckDBValue): bigint => (value as { micros: bigint }).micros;
      if (type === 'date') return days((value) => Number(micros(value) / MICROS_PER_DAY));
      const zone = type === 'timestamptz' ? 'UTC' : null;
      return fixed(new arrow.TimestampMicrosecond(zone), (length) => new BigInt64Array(length), micros);
    }
    default:
      return texts(type);
  }
}

type ToBig = (value: DuckDBValue) => bigint;
const isNull = (value: DuckDBValue): value is null => value === null || value === undefined;

/** Where values are: one bit each. Source: Apache Arrow columnar format, "Validity bitmaps". */
function validity(values: readonly DuckDBValue[]): { nullCount: number; nullBitmap: Uint8Array } {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 8));
  let nullCount = 0;
  for (const [at, value] of values.entries()) {
    if (isNull(value)) nullCount += 1;
    else nullBitmap[at >> 3]! |= 1 << (at & 7);
  }
  return { nullCount, nullBitmap };
}

function fixed<T extends Int32Array | BigInt64Array | Float64Array>(
  type: arrow.Int32 | arrow.Int64 | arrow.Float64 | arrow.DateDay | arrow.TimestampMicrosecond,
  make: (length: number) => T,
  convert: (value: DuckDBValue) => T[number],
): ArrowColumn {
  return {
    type,
    data(values) {
      const data = make(values.length);
      for (const [at, value] of values.entries()) if (!isNull(value)) data[at] = convert(value);
      return arrow.makeData({ type, length: values.length, ...validity(values), data } as never);
    },
  };
}

const days = (convert: (value: DuckDBValue) => number): ArrowColumn =>
  fixed(new arrow.DateDay(), (length) => new Int32Array(length), convert);

function bits(values: readonly DuckDBValue[]): arrow.Data {
  const data = new Uint8Array(Math.ceil(values.length / 8));
  for (const [at, value] of values.entries()) if (value === true) data[at >> 3]! |= 1 << (at & 7);
  return arrow.makeData({ type: new arrow.Bool(), length: values.length, ...validity(values), data });
}

/** 128 bits in two's complement, least significant first. Source: Apache Arrow, Schema.fbs, "Decimal". */
function decimal(scale: number, convert: (value: DuckDBValue) => bigint): ArrowColumn {
  const type = new arrow.Decimal(scale, 38, 128);
  return {
    type,
    data(values) {
      const words = new BigInt64Array(values.length * 2);
      for (const [at, value] of values.entries()) {
        if (isNull(value)) continue;
        const whole = convert(value);
        words[2 * at] = BigInt.asIntN(64, whole);
        words[2 * at + 1] = BigInt.asIntN(64, whole >> 64n);
      }
      const data = new Uint32Array(words.buffer);
      return arrow.makeData({ type, length: values.length, ...validity(values), data });
    },
  };
}

function texts(type: SqlType): ArrowColumn {
  return {
    type: new arrow.Utf8(),
    data(values) {
      const parts = values.map((value) => Buffer.from(isNull(value) ? '' : (printed(value, type) ?? '')));
      const valueOffsets = new Int32Array(values.length + 1);
      for (const [at, part] of parts.entries()) valueOffsets[at + 1] = valueOffsets[at]! + part.length;
      const data = Buffer.concat(parts);
      const length = values.length;
      return arrow.makeData({ type: new arrow.Utf8(), length, ...validity(values), valueOffsets, data });
    },
  };
}
