import { type ColumnType, HubError, type ScalarType } from '#kernel';
import { parseArray } from './arrays.ts';
import { debeziumScalar } from './debezium.ts';
import type { ExactJson } from './exact-json.ts';
import { decimalOf, NULL_ARRAY } from './map.ts';
import { type Plain, plainNumeric, plainTime } from './odd.ts';
import { escapeBytes, escapeField, NULL_FIELD, quoteElement } from './text.ts';

/** One field of TabSeparated, and the exact source text when the field only stands in for it. */
export interface Encoded {
  readonly field: string | Buffer;
  readonly raw: string | null;
}

const INT_BITS = { int2: 16n, int4: 32n, int8: 64n } as const;
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;
const FLOAT = /^([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|NaN|[+-]?Infinity)$/;

const unstorable = (type: ColumnType, value: ExactJson): HubError =>
  new HubError('VALUE_UNSTORABLE', `A value of type ${type.sourceType} cannot be read: ${shorten(value)}`, {
    next: 'Compare the event with the table; replay the dead letter once its cause is gone.',
  });

const shorten = (value: ExactJson): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
};

/** The text of a scalar for ClickHouse, unescaped. `text: null` with `odd` means NULL and the source text in `_raw`. */
export function plainScalar(type: ScalarType, value: string): Plain {
  const result = tryScalar(type, value);
  if (result === null) throw unstorable(type, value);
  return result;
}

function tryScalar(type: ScalarType, value: string): Plain | null {
  switch (type.kind) {
    case 'bool':
      if (/^(true|t)$/.test(value)) return { text: 'true', odd: false };
      return /^(false|f)$/.test(value) ? { text: 'false', odd: false } : null;
    case 'int2':
    case 'int4':
    case 'int8': {
      if (!/^-?\d{1,20}$/.test(value)) return null;
      const fits = BigInt.asIntN(Number(INT_BITS[type.kind]), BigInt(value)) === BigInt(value);
      return fits ? { text: value, odd: false } : null;
    }
    case 'float4':
    case 'float8':
      return FLOAT.test(value) ? { text: value, odd: false } : null;
    case 'numeric':
      return plainNumeric(value, type);
    case 'date':
      return plainTime(value, 'date');
    case 'timestamp':
    case 'timestamptz':
      return plainTime(value, 'timestamp');
    case 'uuid':
      return UUID.test(value) ? { text: value, odd: false } : null;
    default:
      return { text: value, odd: false };
  }
}

/**
 * An event's value as a field. Takes the native encoding of kernel/change-event.ts and Debezium's; `foreign`:
 * Debezium wrote it, for certain.
 * `nullable` decides what an odd numeric becomes. NULL comes back as `\N` whatever `nullable` says:
 * the caller widens the column. Throws VALUE_UNSTORABLE.
 */
export function encodeValue(type: ColumnType, nullable: boolean, value: ExactJson, foreign = false): Encoded {
  if (type.kind === 'array') return encodeArray(type.element, type.sourceType, value, foreign);
  if (value === null) return { field: NULL_FIELD, raw: null };
  const text = debeziumScalar(type, value, foreign);
  if (text === null) throw unstorable(type, value);
  if (typeof text !== 'string') return { field: escapeBytes(text), raw: null };
  return encodeText(type, nullable, text);
}

function encodeText(type: ScalarType, nullable: boolean, text: string): Encoded {
  const plain = plainScalar(type, text);
  if (plain.text === null) return { field: nullable ? NULL_FIELD : '0', raw: text };
  return { field: escapeField(plain.text), raw: plain.odd ? text : null };
}

/** A value given as the source's own text (a column's fill): as encodeValue, but bytes are `\x...`. */
export function encodeSourceText(type: ColumnType, nullable: boolean, text: string | null): Encoded {
  if (type.kind !== 'array' && type.kind === 'bytes' && text !== null) {
    return { field: escapeBytes(Buffer.from(text.replace(/^\\x/, ''), 'hex')), raw: null };
  }
  return encodeValue(type, nullable, text);
}

function encodeArray(element: ScalarType, sourceType: string, value: ExactJson, foreign: boolean): Encoded {
  if (value === null) return { field: '[]', raw: NULL_ARRAY };
  if (typeof value === 'string') {
    const parsed = parseArray(value);
    if (parsed === null) throw unstorable({ kind: 'array', element, sourceType }, value);
    if (parsed.irregular) return { field: '[]', raw: value };
    return encodeElements(element, parsed.elements, value);
  }
  if (!Array.isArray(value)) throw unstorable({ kind: 'array', element, sourceType }, value);
  const elements = (value as readonly ExactJson[]).map((item) => {
    if (item === null) return null;
    const text = debeziumScalar(element, item, foreign);
    if (text === null) throw unstorable(element, item);
    return typeof text === 'string' ? text : `\\x${text.toString('hex')}`;
  });
  return encodeElements(element, elements, JSON.stringify(value));
}

const UNQUOTED = new Set(['bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric']);

function encodeElements(element: ScalarType, elements: readonly (string | null)[], source: string): Encoded {
  const fields: (string | Buffer)[] = [];
  let binary = false;
  for (const text of elements) {
    if (text === null) fields.push('NULL');
    else if (element.kind === 'bytes') {
      binary = true;
      fields.push(quoteBytes(Buffer.from(text.replace(/^\\x/, ''), 'hex')));
    } else {
      const plain = plainScalar(element, text);
      if (plain.text === null || plain.odd) return { field: '[]', raw: source };
      const bare = UNQUOTED.has(element.kind) && !(element.kind === 'numeric' && isText(element));
      fields.push(bare ? plain.text : quoteElement(plain.text));
    }
  }
  if (!binary) return { field: `[${fields.join(',')}]`, raw: null };
  const parts = fields.flatMap((field, i) => [Buffer.from(i === 0 ? '' : ','), Buffer.from(field)]);
  return { field: Buffer.concat([Buffer.from('['), ...parts, Buffer.from(']')]), raw: null };
}

const isText = (type: ScalarType): boolean => decimalOf(type) === null;

function quoteBytes(bytes: Buffer): Buffer {
  const inner = escapeBytes(bytes).toString('latin1').replaceAll("'", "\\'");
  return Buffer.from(`'${inner}'`, 'latin1');
}
