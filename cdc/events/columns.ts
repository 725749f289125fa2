import { type Column, UNAVAILABLE } from '#kernel';
import { NULL, type Relation, TEXT, type Tuple, UNCHANGED } from '../pgoutput/index.ts';
import { writeRaw, writeString } from './json.ts';

/** How a column's source text becomes JSON. */
const RAW = 0;
const BOOL = 1;
const STRING = 2;
const FLOAT = 3;
const BYTES = 4;

const NULL_TEXT = Buffer.from('null');
const TRUE_TEXT = Buffer.from('true');
const FALSE_TEXT = Buffer.from('false');
const UNAVAILABLE_TEXT = Buffer.from(JSON.stringify(UNAVAILABLE));

function formOf(column: Column): number {
  switch (column.type.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
      return RAW;
    case 'bool':
      return BOOL;
    case 'float4':
    case 'float8':
      return FLOAT;
    case 'bytes':
      return BYTES;
    default:
      return STRING;
  }
}

/** Writes some columns of a wire tuple as one JSON object, in a given order. */
export class ObjectWriter {
  /** Bytes the names and punctuation take, for reserving room. */
  readonly fixed: number;
  readonly #places: Uint16Array;
  readonly #forms: Uint8Array;
  readonly #prefixes: Buffer[];

  constructor(relation: Relation, columns: readonly Column[]) {
    const places = columns.map((column) =>
      relation.columns.findIndex((candidate) => candidate.name === column.name),
    );
    const present = columns.filter((_, index) => places[index]! >= 0);
    this.#places = Uint16Array.from(places.filter((place) => place >= 0));
    this.#forms = Uint8Array.from(present, formOf);
    this.#prefixes = present.map((column, index) =>
      Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(column.name)}:`),
    );
    this.fixed = this.#prefixes.reduce((sum, prefix) => sum + prefix.length + UNAVAILABLE_TEXT.length + 2, 2);
  }

  /** `fallback` (the old row) stands in for values the new row leaves out as unchanged. */
  write(out: Buffer, start: number, tuple: Tuple, fallback: Tuple | null): number {
    const places = this.#places;
    const forms = this.#forms;
    const prefixes = this.#prefixes;
    let at = start;
    if (places.length === 0) out[at++] = 0x7b;
    for (let index = 0; index < places.length; index += 1) {
      const prefix = prefixes[index]!;
      at = writeRaw(out, at, prefix, 0, prefix.length);
      const place = places[index]!;
      let from = tuple;
      let kind = from.kinds[place]!;
      // A NULL there only means that a key-only old row does not carry the column.
      if (kind === UNCHANGED && fallback !== null && fallback.kinds[place] === TEXT) {
        from = fallback;
        kind = TEXT;
      }
      if (kind === NULL) at = writeRaw(out, at, NULL_TEXT, 0, 4);
      else if (kind === UNCHANGED) at = writeRaw(out, at, UNAVAILABLE_TEXT, 0, UNAVAILABLE_TEXT.length);
      else at = writeValue(out, at, forms[index]!, from.buffer, from.starts[place]!, from.ends[place]!);
    }
    out[at] = 0x7d;
    return at + 1;
  }

  /** True if any of the columns is left out as unchanged and the old row does not have it either. */
  lacks(tuple: Tuple, fallback: Tuple): boolean {
    return this.#places.some((at) => tuple.kinds[at] === UNCHANGED && fallback.kinds[at] !== TEXT);
  }

  /** True if any of the columns differs between the two rows. Unchanged counts as the same. */
  differs(one: Tuple, other: Tuple): boolean {
    for (const place of this.#places) {
      const kind = one.kinds[place];
      const otherKind = other.kinds[place];
      if (kind === UNCHANGED || otherKind === UNCHANGED) continue;
      if (kind !== otherKind) return true;
      if (kind === NULL) continue;
      const from = one.starts[place]!;
      const length = one.ends[place]! - from;
      const otherFrom = other.starts[place]!;
      if (length !== other.ends[place]! - otherFrom) return true;
      if (one.buffer.compare(other.buffer, otherFrom, otherFrom + length, from, from + length) !== 0) {
        return true;
      }
    }
    return false;
  }
}

function writeValue(
  out: Buffer,
  at: number,
  form: number,
  source: Buffer,
  start: number,
  end: number,
): number {
  switch (form) {
    case RAW:
      return writeRaw(out, at, source, start, end);
    case BOOL:
      return source[start] === 0x74
        ? writeRaw(out, at, TRUE_TEXT, 0, 4)
        : writeRaw(out, at, FALSE_TEXT, 0, 5);
    case FLOAT: {
      // NaN, Infinity and -Infinity are no JSON numbers; everything finite ends in a digit.
      const last = source[end - 1]!;
      return last >= 0x30 && last <= 0x39
        ? writeRaw(out, at, source, start, end)
        : writeString(out, at, source, start, end);
    }
    case BYTES:
      return writeBase64(out, at, source, start, end);
    default:
      return writeString(out, at, source, start, end);
  }
}

/** bytea in its hex text form (`\x0a1b`) as a base64 string. */
function writeBase64(out: Buffer, at: number, source: Buffer, start: number, end: number): number {
  const bytes = Buffer.from(source.toString('latin1', start + 2, end), 'hex');
  out[at] = 0x22;
  const written = out.write(bytes.toString('base64'), at + 1, 'latin1');
  out[at + 1 + written] = 0x22;
  return at + written + 2;
}
