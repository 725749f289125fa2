import { UNAVAILABLE } from '#kernel';
import { encodeValue } from '../types/index.ts';
import { matches, parseExact } from './envelope.ts';
import { FORM, type Plan, type PlanColumn } from './plan.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const CLOSE = 0x7d;
const TAB = 0x09;

const UNAVAILABLE_TEXT = Buffer.from(UNAVAILABLE);
const NULL_TEXT = Buffer.from('null');
const TRUE_TEXT = Buffer.from('true');
const FALSE_TEXT = Buffer.from('false');

/**
 * Turns a row object of a native event into TabSeparated fields by moving bytes: JSON's and
 * TabSeparated's escapes are the same but for `\"`, `\/` and `\u`. Whatever it does not know for
 * certain makes it return false; the caller then takes the general path, so this is only ever an
 * optimisation (sink/fast.property.test.ts holds the two against each other).
 */
export class RowScanner {
  /** Where reading ended: behind the object. */
  at = 0;
  /** Where writing ended. */
  to = 0;
  readonly holes: number[] = [];

  /** Writes all source fields, each followed by a tab. `start` is the object's opening brace. */
  scan(source: Buffer, start: number, out: Buffer, to: number, plan: Plan, complete: boolean): boolean {
    this.at = start + 1;
    this.to = to;
    this.holes.length = 0;
    const { columns } = plan;
    let next = 0;
    if (source[this.at] === CLOSE) this.at += 1;
    else {
      for (;;) {
        let found = next;
        while (found < columns.length && !matches(source, this.at, columns[found]!.label)) found += 1;
        if (found === columns.length) return false;
        for (; next < found; next += 1) this.#absent(out, columns[next]!, complete);
        const column = columns[next]!;
        next += 1;
        this.at += column.label.length;
        if (!this.#member(source, out, column, complete)) return false;
        const separator = source[this.at];
        this.at += 1;
        if (separator === CLOSE) break;
        if (separator !== COMMA) return false;
      }
    }
    for (; next < columns.length; next += 1) this.#absent(out, columns[next]!, complete);
    this.#copy(plan.tailGap, 0, plan.tailGap.length, out);
    return true;
  }

  #absent(out: Buffer, column: PlanColumn, complete: boolean): void {
    if (column.target < 0) return;
    this.#copy(column.gap, 0, column.gap.length, out);
    if (complete) this.holes.push(column.target);
    this.#null(out);
    out[this.to++] = TAB;
  }

  #member(source: Buffer, out: Buffer, column: PlanColumn, complete: boolean): boolean {
    if (column.target < 0) {
      // The column is gone: read over its value by writing it where the next field will overwrite it.
      const { to } = this;
      const known = source[this.at] === QUOTE ? this.#text(source, out) : this.#literal(source, out, 0);
      this.to = to;
      return known;
    }
    if (column.gap.length > 0) this.#copy(column.gap, 0, column.gap.length, out);
    const begin = this.to;
    if (source[this.at] === 0x6e) {
      if (!matches(source, this.at, NULL_TEXT)) return false;
      // A NULL array has an entry in `_raw`, which may be part of the key: also of a deleted row.
      if (column.type.kind === 'array' || (complete && !column.nullable)) return false;
      this.at += 4;
      this.#null(out);
    } else {
      if (!this.#value(source, out, column)) return false;
      if (this.to - begin === UNAVAILABLE_TEXT.length && matches(out, begin, UNAVAILABLE_TEXT)) {
        this.to = begin;
        this.#null(out);
        if (complete) this.holes.push(column.target);
      }
    }
    out[this.to++] = TAB;
    return true;
  }

  #value(source: Buffer, out: Buffer, column: PlanColumn): boolean {
    const quoted = source[this.at] === QUOTE;
    switch (column.form) {
      case FORM.text:
        return quoted && this.#text(source, out);
      case FORM.int:
        return !quoted && this.#literal(source, out, column.limit);
      case FORM.float:
        return !quoted && this.#literal(source, out, 0);
      case FORM.bool:
        return this.#bool(source, out);
      case FORM.numeric:
        return quoted && (this.#unavailable(source, out) || this.#numeric(source, out, column));
      case FORM.date:
        return quoted && this.#time(source, out, 10, 10, 0);
      case FORM.timestamp:
        return quoted && this.#time(source, out, 19, 26, 0);
      case FORM.timestamptz:
        return quoted && this.#time(source, out, 19, 26, 3);
      case FORM.uuid: {
        const begin = this.to;
        return quoted && this.#text(source, out) && this.to - begin === 36;
      }
      default:
        return this.#unavailable(source, out) || this.#encoded(source, out, column);
    }
  }

  /** A number without quotes. `limit` > 0: an integer of at most that many digits. */
  #literal(source: Buffer, out: Buffer, limit: number): boolean {
    let { at, to } = this;
    const begin = at;
    for (;;) {
      const byte = source[at]!;
      if (byte === COMMA || byte === CLOSE) break;
      const digit = byte >= 0x30 && byte <= 0x39;
      const sign = byte === 0x2d;
      if (
        !digit &&
        !sign &&
        (limit > 0 || (byte !== 0x2e && byte !== 0x65 && byte !== 0x45 && byte !== 0x2b))
      ) {
        if (limit > 0) return false;
        // true, false, null of a dropped column
        if (byte < 0x61 || byte > 0x7a) return false;
      }
      out[to++] = byte;
      at += 1;
    }
    const length = at - begin - (source[begin] === 0x2d ? 1 : 0);
    if (length === 0 || (limit > 0 && length > limit)) return false;
    this.at = at;
    this.to = to;
    return true;
  }

  #bool(source: Buffer, out: Buffer): boolean {
    const text = source[this.at] === 0x74 ? TRUE_TEXT : FALSE_TEXT;
    if (!matches(source, this.at, text)) return false;
    this.#copy(text, 0, text.length, out);
    this.at += text.length;
    return true;
  }

  #text(source: Buffer, out: Buffer): boolean {
    let at = this.at + 1;
    let { to } = this;
    const end = source.length;
    while (at < end) {
      const byte = source[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        this.to = to;
        return true;
      }
      if (byte !== BACKSLASH) {
        out[to++] = byte;
        at += 1;
        continue;
      }
      const next = source[at + 1]!;
      at += 2;
      switch (next) {
        case QUOTE:
        case 0x2f:
          out[to++] = next;
          break;
        case BACKSLASH:
        case 0x62:
        case 0x66:
        case 0x6e:
        case 0x72:
        case 0x74:
          out[to++] = BACKSLASH;
          out[to++] = next;
          break;
        case 0x75: {
          const code = hex4(source, at);
          // Control characters are all the native writer escapes this way; 8, 9, 10, 12, 13 have short forms.
          if (code < 1 || code > 0x1f || (code >= 8 && code <= 13 && code !== 11)) return false;
          out[to++] = code;
          at += 4;
          break;
        }
        default:
          return false;
      }
    }
    return false;
  }

  #numeric(source: Buffer, out: Buffer, column: PlanColumn): boolean {
    let at = this.at + 1;
    let { to } = this;
    if (source[at] === 0x2d) out[to++] = source[at++]!;
    let digits = 0;
    let scale = -1;
    for (;;) {
      const byte = source[at]!;
      if (byte === QUOTE) break;
      if (byte === 0x2e) {
        if (scale >= 0) return false;
        scale = 0;
      } else if (byte >= 0x30 && byte <= 0x39) {
        if (scale >= 0) scale += 1;
        else digits += 1;
      } else return false;
      out[to++] = byte;
      at += 1;
    }
    // "0.5" has a digit before the point that a Decimal(2,2) has no room for: let the general path judge.
    if (digits === 0 || scale === 0 || digits > column.limit || scale > column.scale) return false;
    this.at = at + 1;
    this.to = to;
    return true;
  }

  /** Date or timestamp between 1900 and 2299 in its usual form; `suffix` bytes (`+00`) are left out. */
  #time(source: Buffer, out: Buffer, least: number, most: number, suffix: number): boolean {
    const begin = this.at + 1;
    const century = (source[begin]! - 0x30) * 10 + source[begin + 1]! - 0x30;
    if (century < 19 || century > 22 || source[begin + 4] !== 0x2d || source[begin + 7] !== 0x2d)
      return false;
    let end = begin + least;
    const last = begin + most + suffix;
    while (end <= last && source[end] !== QUOTE) end += 1;
    if (source[end] !== QUOTE) return false;
    const stop = end - suffix;
    if (stop - begin < least || stop - begin > most) return false;
    if (suffix > 0 && (source[stop] !== 0x2b || source[stop + 1] !== 0x30 || source[stop + 2] !== 0x30))
      return false;
    for (let at = begin; at < stop; at += 1) if (TIME_BYTES[source[at]!] === 0) return false;
    this.#copy(source, begin, stop, out);
    this.at = end + 1;
    return true;
  }

  #unavailable(source: Buffer, out: Buffer): boolean {
    const end = this.at + 1 + UNAVAILABLE_TEXT.length;
    if (source[this.at] !== QUOTE || source[end] !== QUOTE) return false;
    if (!matches(source, this.at + 1, UNAVAILABLE_TEXT)) return false;
    this.#copy(UNAVAILABLE_TEXT, 0, UNAVAILABLE_TEXT.length, out);
    this.at = end + 1;
    return true;
  }

  /** A string or a number through `encodeValue`; odd values are left to the general path. */
  #encoded(source: Buffer, out: Buffer, column: PlanColumn): boolean {
    let end = this.at;
    if (source[end] === QUOTE) {
      end += 1;
      while (source[end] !== QUOTE) {
        if (end >= source.length) return false;
        end += source[end] === BACKSLASH ? 2 : 1;
      }
      end += 1;
    } else {
      while (end < source.length && source[end] !== COMMA && source[end] !== CLOSE) end += 1;
    }
    const { field, raw } = encodeValue(
      column.type,
      column.nullable,
      parseExact(source.toString('utf8', this.at, end)),
    );
    if (raw !== null) return false;
    this.at = end;
    const bytes = typeof field === 'string' ? Buffer.from(field) : field;
    // Quotes around array elements and escapes can make it longer than its event; that needs more room.
    if (bytes.length > 2 * (end - this.at) + source.length) return false;
    this.#copy(bytes, 0, bytes.length, out);
    return true;
  }

  #null(out: Buffer): void {
    out[this.to] = BACKSLASH;
    out[this.to + 1] = 0x4e;
    this.to += 2;
  }

  #copy(from: Uint8Array, start: number, end: number, out: Buffer): void {
    if (end - start > 64) {
      out.set(from.subarray(start, end), this.to);
      this.to += end - start;
      return;
    }
    let { to } = this;
    for (let at = start; at < end; at += 1) out[to++] = from[at]!;
    this.to = to;
  }
}

/** Bytes of a date or time: digits, `-`, `:`, `.`, blank. */
const TIME_BYTES = new Uint8Array(256);
for (const char of '0123456789-:. ') TIME_BYTES[char.charCodeAt(0)] = 1;

function hex4(source: Uint8Array, at: number): number {
  let code = 0;
  for (let i = at; i < at + 4; i += 1) {
    const byte = source[i]!;
    const digit = byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
    if (!(digit >= 0 && digit <= 15)) return -1;
    code = code * 16 + digit;
  }
  return code;
}
