const LSN_SPAN = 4_503_599_627_370_496n; // 2^52, see rowVersion
const HALF = 1_000_000_000;

/** Writes `value` with at least `width` digits; returns the end. `value` is a whole number below 2^53. */
export function writeNumber(out: Uint8Array, start: number, value: number, width: number): number {
  let length = width;
  for (let bound = 10 ** width; value >= bound; bound *= 10) length += 1;
  let left = value;
  for (let at = start + length - 1; at >= start; at -= 1) {
    const rest = Math.floor(left / 10);
    out[at] = 0x30 + (left - rest * 10);
    left = rest;
  }
  return start + length;
}

/**
 * `rowVersion` as digits without a BigInt per row: the version is kept as two halves of at most ten
 * and nine digits.
 */
export class VersionWriter {
  #generation = -1;
  #high = 0;
  #low = 0;

  write(out: Uint8Array, start: number, generation: number, lsn: number): number {
    if (generation !== this.#generation) {
      const base = BigInt(generation) * LSN_SPAN;
      this.#high = Number(base / BigInt(HALF));
      this.#low = Number(base % BigInt(HALF));
      this.#generation = generation;
    }
    const lsnHigh = Math.floor(lsn / HALF);
    let low = this.#low + (lsn - lsnHigh * HALF);
    let high = this.#high + lsnHigh;
    if (low >= HALF) {
      low -= HALF;
      high += 1;
    }
    return writeNumber(out, writeNumber(out, start, high, 1), low, 9);
  }
}

/** Commit times as DateTime64 text (seconds since 1970, six decimals); repeated ones are copied. */
export class TimeWriter {
  #last = -1;
  readonly #text = Buffer.alloc(32);
  #length = 0;

  write(out: Uint8Array, start: number, micros: number): number {
    if (micros !== this.#last) {
      // ClickHouse takes ten digits for seconds since 1970, fewer for something else.
      const seconds = Math.floor(Math.max(micros, 0) / 1_000_000);
      let at = writeNumber(this.#text, 0, seconds, 10);
      this.#text[at++] = 0x2e;
      this.#length = writeNumber(this.#text, at, Math.max(micros, 0) - seconds * 1_000_000, 6);
      this.#last = micros;
    }
    for (let i = 0; i < this.#length; i += 1) out[start + i] = this.#text[i]!;
    return start + this.#length;
  }
}
