/** A row waiting for values that its event left out. */
export interface Hole {
  readonly row: number;
  /** Positions of the missing fields. */
  readonly fields: readonly number[];
  /**
   * The warehouse is no safe place for the values: they are those of another key, from which the row has moved,
   * or may have become NULL.
   */
  readonly moved: boolean;
}

/** Encoded rows of one batch, as TabSeparated text in one growing buffer. */
export class Rows {
  buffer: Buffer;
  at = 0;
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Index of the record each row comes from. */
  readonly records: number[] = [];
  /** False: a newer row of the batch has the same key, or the row has been withdrawn. */
  readonly live: boolean[] = [];
  readonly deleted: boolean[] = [];
  readonly generations: number[] = [];
  readonly lsns: number[] = [];

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
  }

  reserve(bytes: number): void {
    if (this.buffer.length - this.at >= bytes) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.at + bytes, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.at);
    this.buffer = grown;
  }

  reset(): void {
    this.at = 0;
    for (const list of [this.starts, this.ends, this.records, this.generations, this.lsns]) list.length = 0;
    for (const list of [this.live, this.deleted]) list.length = 0;
  }

  get count(): number {
    return this.starts.length;
  }

  /** Closes the row that was written from `start` to `at`. Returns its index. */
  close(start: number, record: number, deleted: boolean, generation: number, lsn: number): number {
    this.starts.push(start);
    this.ends.push(this.at);
    this.records.push(record);
    this.live.push(true);
    this.deleted.push(deleted);
    this.generations.push(generation);
    this.lsns.push(lsn);
    return this.starts.length - 1;
  }

  /** True if `row` is of an older change than `other`, though it comes later: sent again, or completed. */
  isOlder(row: number, other: number): boolean {
    return this.generations[row] === this.generations[other] && this.lsns[row]! < this.lsns[other]!;
  }

  /** A row's fields, as latin1 text so that every byte survives. */
  fields(row: number): string[] {
    return this.buffer.toString('latin1', this.starts[row], this.ends[row]! - 1).split('\t');
  }

  /** Replaces a row by other fields (latin1); the old bytes stay unused. */
  rewrite(row: number, fields: readonly string[]): void {
    const text = `${fields.join('\t')}\n`;
    this.reserve(text.length);
    this.starts[row] = this.at;
    this.at += this.buffer.write(text, this.at, 'latin1');
    this.ends[row] = this.at;
  }

  /** The bytes of some rows, in order, copied only where they do not lie side by side. */
  body(rows: readonly number[]): Buffer {
    const parts: Buffer[] = [];
    let from = -1;
    let to = -1;
    for (const row of rows) {
      if (this.starts[row] !== to) {
        if (from >= 0) parts.push(this.buffer.subarray(from, to));
        from = this.starts[row]!;
      }
      to = this.ends[row]!;
    }
    if (from >= 0) parts.push(this.buffer.subarray(from, to));
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }
}

/** Positions of the hub's own fields behind `width` source fields. */
export const systemField = (width: number) => ({
  raw: width,
  version: width + 1,
  deleted: width + 2,
  committedAt: width + 3,
});
