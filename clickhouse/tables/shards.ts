import { chIdent } from '#kernel';
import type { AppliedColumn, AppliedTable } from './model.ts';

/**
 * Which shard a row belongs to: xxHash32 over a text of its key, modulo the number of shards the table
 * was made for. The hub computes it over the fields it writes (`Sharder`), ClickHouse over the columns
 * (`shardingKey`, the Distributed table's), and both must agree. So every version of a row is on one
 * shard, and FINAL on each shard is FINAL over all.
 *
 * | column type | text |
 * | --- | --- |
 * | integers, Date32 | as they are |
 * | String | the bytes |
 * | UUID | 32 hex digits |
 * | Bool | t, f |
 * | DateTime64 | to the second |
 * | Decimal | what is before the point |
 * | NULL | `\\N` |
 * | floats, arrays | left out: they have more than one text for a value |
 *
 * Columns are joined by tabs. A key of floats and arrays alone is all on the first shard.
 */
type Form = 'plain' | 'text' | 'uuid' | 'bool' | 'second' | 'whole';

const bareType = (type: string): string =>
  type.replace(/^LowCardinality\((.*)\)$/, '$1').replace(/^Nullable\((.*)\)$/, '$1');

function formOf(type: string): Form | null {
  const bare = bareType(type);
  if (/^(Int(16|32|64)|Date32)$/.test(bare)) return 'plain';
  if (bare === 'String') return 'text';
  if (bare === 'UUID') return 'uuid';
  if (bare === 'Bool') return 'bool';
  if (bare.startsWith('DateTime64(')) return 'second';
  return bare.startsWith('Decimal(') ? 'whole' : null;
}

function textSql({ name, type }: Pick<AppliedColumn, 'name' | 'type'>, form: Form): string {
  const column = chIdent(name);
  const text = {
    plain: `toString(${column})`,
    text: `toString(${column})`,
    uuid: `replaceAll(toString(${column}), '-', '')`,
    bool: `if(${column}, 't', 'f')`,
    second: `substring(toString(${column}), 1, 19)`,
    whole: `splitByChar('.', toString(${column}))[1]`,
  }[form];
  return type.includes('Nullable(') ? `if(isNull(${column}), '\\\\N', assumeNotNull(${text}))` : text;
}

const keyOf = (applied: Pick<AppliedTable, 'columns' | 'key'>): { column: AppliedColumn; form: Form }[] =>
  applied.key.flatMap((attnum) => {
    const column = applied.columns.find((candidate) => candidate.attnum === attnum)!;
    const form = formOf(column.type);
    return form === null ? [] : [{ column, form }];
  });

/** The Distributed table's sharding key. */
export function shardingKey(applied: Pick<AppliedTable, 'columns' | 'key' | 'shards'>): string {
  const texts = keyOf(applied).map(({ column, form }) => textSql(column, form));
  if (texts.length === 0) return '0';
  const text = texts.length === 1 ? texts[0]! : `concat(${texts.join(", '\\t', ")})`;
  return `xxHash32(${text}) % ${applied.shards}`;
}

const TAB = 9;
const BACKSLASH = 0x5c;
const DASH = 0x2d;
const POINT = 0x2e;
const ESCAPED: Readonly<Record<number, number>> = {
  98: 8,
  102: 12,
  110: 10,
  114: 13,
  116: 9,
  48: 0,
  118: 11,
};

/** Finds the shard of rows given as TabSeparated text. */
export class Sharder {
  readonly shards: number;
  readonly #parts: readonly { readonly position: number; readonly form: Form }[];
  #text = Buffer.allocUnsafe(256);
  #length = 0;

  /** `fields`: attnums in the order of the rows' fields. */
  constructor(
    applied: Pick<AppliedTable, 'columns' | 'key' | 'shards'>,
    fields: readonly number[] = applied.columns.map((column) => column.attnum),
  ) {
    this.shards = applied.shards;
    this.#parts = keyOf(applied).map(({ column, form }) => ({
      position: fields.indexOf(column.attnum),
      form,
    }));
  }

  /** Shard, from 0, of the row whose fields stand in `buffer` from `start` to `end`. */
  of(buffer: Buffer, start: number, end: number): number {
    if (this.shards === 1 || this.#parts.length === 0) return 0;
    this.#length = 0;
    for (let index = 0; index < this.#parts.length; index += 1) {
      const { position, form } = this.#parts[index]!;
      let from = start;
      for (let skip = position; skip > 0; skip -= 1) from = after(buffer, from, end) + 1;
      if (index > 0) this.#add(TAB);
      this.#field(buffer, from, after(buffer, from, end), form);
    }
    return xxHash32(this.#text, this.#length) % this.shards;
  }

  #add(byte: number): void {
    if (this.#length === this.#text.length) this.#text = Buffer.concat([this.#text], this.#length * 2);
    this.#text[this.#length++] = byte;
  }

  #field(buffer: Buffer, from: number, to: number, form: Form): void {
    if (to - from === 2 && buffer[from] === BACKSLASH && buffer[from + 1] === 0x4e) {
      this.#add(BACKSLASH);
      this.#add(0x4e);
      return;
    }
    const end = form === 'bool' ? from + 1 : form === 'second' ? Math.min(to, from + 19) : to;
    for (let at = from; at < end; at += 1) {
      const byte = buffer[at]!;
      if (form === 'text' && byte === BACKSLASH) {
        at += 1;
        this.#add(ESCAPED[buffer[at]!] ?? buffer[at]!);
      } else if (form === 'uuid') {
        if (byte !== DASH) this.#add(byte >= 65 && byte <= 70 ? byte + 32 : byte);
      } else if (form === 'whole' && byte === POINT) {
        return;
      } else this.#add(byte);
    }
  }
}

/** Position of the tab or line end after `from`. */
function after(buffer: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && buffer[at] !== TAB && buffer[at] !== 10) at += 1;
  return at;
}

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;
const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

/** xxHash32 with seed 0, as ClickHouse's function of that name. Source: the xxHash specification, version 0.1.1. */
export function xxHash32(data: Buffer, length = data.length): number {
  let at = 0;
  let hash: number;
  if (length >= 16) {
    let [a, b, c, d] = [(P1 + P2) | 0, P2 | 0, 0, -P1 | 0];
    for (; at <= length - 16; at += 16) {
      a = Math.imul(rotate((a + Math.imul(data.readInt32LE(at), P2)) | 0, 13), P1);
      b = Math.imul(rotate((b + Math.imul(data.readInt32LE(at + 4), P2)) | 0, 13), P1);
      c = Math.imul(rotate((c + Math.imul(data.readInt32LE(at + 8), P2)) | 0, 13), P1);
      d = Math.imul(rotate((d + Math.imul(data.readInt32LE(at + 12), P2)) | 0, 13), P1);
    }
    hash = (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0;
  } else hash = P5 | 0;
  hash = (hash + length) | 0;
  for (; at <= length - 4; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(data.readInt32LE(at), P3)) | 0, 17), P4);
  }
  for (; at < length; at += 1) {
    hash = Math.imul(rotate((hash + Math.imul(data[at]!, P5)) | 0, 11), P1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
