import type { Relation } from './messages.ts';

/** A value of a tuple: text, NULL, or an unchanged out-of-line value. */
export type Value = string | Buffer | null | undefined;

const EPOCH_US = 946_684_800_000_000n;

/** Builds pgoutput messages byte by byte, as the server does; the decoder's counterpart for tests. */
class Bytes {
  readonly #parts: Buffer[] = [];

  byte(value: number | string): this {
    this.#parts.push(Buffer.from(typeof value === 'string' ? value : [value]));
    return this;
  }

  uint16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeUInt16BE(value);
    return this.raw(part);
  }

  uint32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32BE(value >>> 0);
    return this.raw(part);
  }

  uint64(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigInt64BE(value);
    return this.raw(part);
  }

  text(value: string): this {
    return this.raw(Buffer.from(`${value}\0`));
  }

  raw(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }

  tuple(values: readonly Value[]): this {
    this.uint16(values.length);
    for (const value of values) {
      if (value === null) this.byte('n');
      else if (value === undefined) this.byte('u');
      else {
        const bytes = Buffer.from(value);
        this.byte('t').uint32(bytes.length).raw(bytes);
      }
    }
    return this;
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

export const encode = {
  begin: (finalLsn: number, committedAt: number, xid: number): Buffer =>
    new Bytes()
      .byte('B')
      .uint64(BigInt(finalLsn))
      .uint64(BigInt(committedAt) - EPOCH_US)
      .uint32(xid)
      .done(),
  commit: (commitLsn: number, endLsn: number, committedAt: number): Buffer =>
    new Bytes()
      .byte('C')
      .byte(0)
      .uint64(BigInt(commitLsn))
      .uint64(BigInt(endLsn))
      .uint64(BigInt(committedAt) - EPOCH_US)
      .done(),
  relation: ({ oid, schema, table, identity, columns }: Relation): Buffer => {
    const bytes = new Bytes().byte('R').uint32(oid).text(schema).text(table).byte(identity);
    bytes.uint16(columns.length);
    for (const column of columns) {
      bytes
        .byte(column.partOfKey ? 1 : 0)
        .text(column.name)
        .uint32(column.typeOid)
        .uint32(column.typmod);
    }
    return bytes.done();
  },
  insert: (oid: number, row: readonly Value[]): Buffer =>
    new Bytes().byte('I').uint32(oid).byte('N').tuple(row).done(),
  update: (oid: number, row: readonly Value[], old?: { kind: 'K' | 'O'; row: readonly Value[] }): Buffer => {
    const bytes = new Bytes().byte('U').uint32(oid);
    if (old) bytes.byte(old.kind).tuple(old.row);
    return bytes.byte('N').tuple(row).done();
  },
  delete: (oid: number, kind: 'K' | 'O', row: readonly Value[]): Buffer =>
    new Bytes().byte('D').uint32(oid).byte(kind).tuple(row).done(),
  truncate: (oids: readonly number[], flags: number): Buffer => {
    const bytes = new Bytes().byte('T').uint32(oids.length).byte(flags);
    for (const oid of oids) bytes.uint32(oid);
    return bytes.done();
  },
  type: (oid: number, schema: string, name: string): Buffer =>
    new Bytes().byte('Y').uint32(oid).text(schema).text(name).done(),
  origin: (lsn: number, name: string): Buffer => new Bytes().byte('O').uint64(BigInt(lsn)).text(name).done(),
  /** A pgoutput message as the server frames it in the copy stream. */
  frame: (lsn: number, message: Buffer): Buffer => {
    const body = new Bytes().byte('w').uint64(BigInt(lsn)).uint64(BigInt(lsn)).uint64(0n).raw(message).done();
    return new Bytes()
      .byte('d')
      .uint32(body.length + 4)
      .raw(body)
      .done();
  },
};
