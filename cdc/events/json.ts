import { isUtf8 } from 'node:buffer';

/** 0 = stands for itself in a JSON string, 1 = has to be escaped, 2 = part of a multi-byte character. */
const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  if (byte < 0x20 || byte === 0x22 || byte === 0x5c) CLASS[byte] = 1;
  else if (byte >= 0x80) CLASS[byte] = 2;
}
const SHORT: Readonly<Record<number, number>> = {
  8: 0x62,
  9: 0x74,
  10: 0x6e,
  12: 0x66,
  13: 0x72,
  34: 0x22,
  92: 0x5c,
};
const HEX = Buffer.from('0123456789abcdef');
/** Below this a loop is cheaper than a call into native code. */
const LOOP = 128;

/** Most bytes that `length` bytes of text can take as JSON (`\u001f` for one). */
export const worstCase = (length: number): number => length * 6;

/** Exact upper bound for long texts: what escapes and replaced invalid bytes add. */
export function growth(source: Uint8Array, start: number, end: number): number {
  let extra = 0;
  for (let at = start; at < end; at += 1) {
    const kind = CLASS[source[at]!]!;
    if (kind !== 0) extra += kind === 1 ? 5 : 2;
  }
  return extra;
}

export function writeRaw(out: Buffer, at: number, source: Buffer, start: number, end: number): number {
  if (end - start > LOOP) {
    source.copy(out, at, start, end);
    return at + end - start;
  }
  let to = at;
  for (let from = start; from < end; from += 1, to += 1) out[to] = source[from]!;
  return to;
}

/** `source[start..end)` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
export function writeString(out: Buffer, at: number, source: Buffer, start: number, end: number): number {
  let to = at;
  out[to++] = 0x22;
  let from = start;
  let seen = 0;
  if (end - start <= LOOP) {
    for (; from < end; from += 1) {
      const byte = source[from]!;
      seen |= CLASS[byte]!;
      if ((seen & 1) !== 0) break;
      out[to++] = byte;
    }
  } else {
    for (; from < end; from += 1) {
      seen |= CLASS[source[from]!]!;
      if ((seen & 1) !== 0) break;
    }
    source.copy(out, to, start, from);
    to += from - start;
  }
  if (from < end) {
    for (; from < end; from += 1) {
      const byte = source[from]!;
      const kind = CLASS[byte]!;
      seen |= kind;
      if (kind === 1) to = writeEscape(out, to, byte);
      else out[to++] = byte;
    }
  }
  if ((seen & 2) !== 0 && !isUtf8(source.subarray(start, end))) {
    const repaired = Buffer.from(source.toString('utf8', start, end));
    return writeString(out, at, repaired, 0, repaired.length);
  }
  out[to] = 0x22;
  return to + 1;
}

function writeEscape(out: Uint8Array, at: number, byte: number): number {
  out[at] = 0x5c;
  const short = SHORT[byte];
  if (short !== undefined) {
    out[at + 1] = short;
    return at + 2;
  }
  out[at + 1] = 0x75;
  out[at + 2] = 0x30;
  out[at + 3] = 0x30;
  out[at + 4] = HEX[byte >> 4]!;
  out[at + 5] = HEX[byte & 15]!;
  return at + 6;
}

/** A whole number from 0 to 2^53 in digits. */
export function writeDigits(out: Uint8Array, at: number, value: number): number {
  let left = value;
  let places = 1;
  for (let power = 10; power <= left && places < 16; power *= 10) places += 1;
  const end = at + places;
  let to = end;
  while (left > 0xffff_ffff) {
    const rest = Math.floor(left / 10);
    to -= 1;
    out[to] = 0x30 + (left - rest * 10);
    left = rest;
  }
  let small = left >>> 0;
  while (to > at) {
    const rest = (small / 10) >>> 0;
    to -= 1;
    out[to] = 0x30 + (small - rest * 10);
    small = rest;
  }
  return end;
}
