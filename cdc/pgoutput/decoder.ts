import { HubError } from '#kernel';
import { lsnOf } from './lsn.ts';
import {
  type Begin,
  BINARY,
  type Commit,
  type Delete,
  type Insert,
  NULL,
  type OldKind,
  type PgoutputMessage,
  type RelationColumn,
  type RelationMessage,
  type ReplicaIdentity,
  TEXT,
  type Truncate,
  type Tuple,
  UNCHANGED,
  type Update,
} from './messages.ts';

/** Microseconds between 1970-01-01 and PostgreSQL's epoch 2000-01-01. */
const EPOCH_US = 946_684_800_000_000;
/** PostgreSQL allows 1600 columns in a table. */
const MAX_COLUMNS = 1664;

export const malformed = (message: string): HubError =>
  new HubError('PGOUTPUT_MALFORMED', `The change stream is malformed: ${message}.`, {
    next: 'Restart the source; if it comes again, report it with the server version.',
  });

export function emptyTuple(): Tuple {
  return {
    buffer: Buffer.alloc(0),
    count: 0,
    kinds: new Uint8Array(MAX_COLUMNS),
    starts: new Uint32Array(MAX_COLUMNS),
    ends: new Uint32Array(MAX_COLUMNS),
  };
}

/**
 * Decodes one pgoutput message at a time without copying: the returned message and its tuples are
 * re-used and point into `buffer`, so they hold until the next call. Relations are fresh objects.
 * Errors: PGOUTPUT_MALFORMED for anything that is not exactly one whole message.
 */
export class Decoder {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  readonly #begin: Begin = { kind: 'begin', finalLsn: 0, committedAt: 0, xid: 0 };
  readonly #commit: Commit = { kind: 'commit', commitLsn: 0, endLsn: 0, committedAt: 0 };
  readonly #insert: Insert = { kind: 'insert', oid: 0, row: emptyTuple() };
  readonly #update: Update = {
    kind: 'update',
    oid: 0,
    old: emptyTuple(),
    oldKind: 'none',
    row: emptyTuple(),
  };
  readonly #delete: Delete = { kind: 'delete', oid: 0, old: emptyTuple(), oldKind: 'none' };

  decode(buffer: Buffer, start: number, end: number): PgoutputMessage {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    const message = this.#message(this.#byte());
    if (this.#at !== this.#end) throw malformed(`${this.#end - this.#at} bytes too many`);
    return message;
  }

  #message(tag: number): PgoutputMessage {
    switch (tag) {
      case 0x49: {
        const insert = this.#insert;
        insert.oid = this.#uint32();
        if (this.#byte() !== 0x4e) throw malformed('insert without a new row');
        this.#tuple(insert.row);
        return insert;
      }
      case 0x55:
        return this.#updateMessage();
      case 0x44: {
        const message = this.#delete;
        message.oid = this.#uint32();
        message.oldKind = this.#old(this.#byte(), message.old);
        if (message.oldKind === 'none') throw malformed('delete without an old row');
        return message;
      }
      case 0x42: {
        const begin = this.#begin;
        begin.finalLsn = this.#lsn();
        begin.committedAt = this.#time();
        begin.xid = this.#uint32();
        return begin;
      }
      case 0x43: {
        const commit = this.#commit;
        this.#byte();
        commit.commitLsn = this.#lsn();
        commit.endLsn = this.#lsn();
        commit.committedAt = this.#time();
        return commit;
      }
      case 0x52:
        return this.#relation();
      case 0x54:
        return this.#truncate();
      case 0x59:
        return { kind: 'type', oid: this.#uint32(), schema: this.#text(), name: this.#text() };
      case 0x4f:
        return { kind: 'origin', lsn: this.#lsn(), name: this.#text() };
      default:
        throw malformed(`unknown message 0x${tag.toString(16)}`);
    }
  }

  #updateMessage(): Update {
    const update = this.#update;
    update.oid = this.#uint32();
    let marker = this.#byte();
    update.oldKind = 'none';
    if (marker !== 0x4e) {
      update.oldKind = this.#old(marker, update.old);
      marker = this.#byte();
    }
    if (marker !== 0x4e) throw malformed('update without a new row');
    this.#tuple(update.row);
    return update;
  }

  #old(marker: number, into: Tuple): OldKind {
    if (marker !== 0x4b && marker !== 0x4f) throw malformed(`row marker 0x${marker.toString(16)}`);
    this.#tuple(into);
    return marker === 0x4b ? 'key' : 'full';
  }

  #tuple(into: Tuple): void {
    const buffer = this.#buffer;
    const end = this.#end;
    const count = this.#uint16();
    if (count > MAX_COLUMNS) throw malformed(`${count} columns`);
    const { kinds, starts, ends } = into;
    let at = this.#at;
    for (let index = 0; index < count; index += 1) {
      if (at >= end) throw malformed('a row is cut off');
      const kind = buffer[at]!;
      at += 1;
      kinds[index] = kind;
      if (kind === TEXT || kind === BINARY) {
        if (at + 4 > end) throw malformed('a value is cut off');
        const length =
          (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
        at += 4;
        if (length < 0 || length > end - at) throw malformed('a value is cut off');
        starts[index] = at;
        at += length;
        ends[index] = at;
      } else if (kind !== NULL && kind !== UNCHANGED) {
        throw malformed(`value kind 0x${kind.toString(16)}`);
      }
    }
    into.buffer = buffer;
    into.count = count;
    this.#at = at;
  }

  #relation(): RelationMessage {
    const oid = this.#uint32();
    const schema = this.#text() || 'pg_catalog';
    const table = this.#text();
    const identity = String.fromCharCode(this.#byte());
    if (!isIdentity(identity)) throw malformed(`replica identity "${identity}"`);
    const count = this.#uint16();
    if (count > MAX_COLUMNS) throw malformed(`${count} columns`);
    const columns: RelationColumn[] = [];
    for (let index = 0; index < count; index += 1) {
      const partOfKey = (this.#byte() & 1) === 1;
      columns.push({ name: this.#text(), typeOid: this.#uint32(), typmod: this.#uint32() | 0, partOfKey });
    }
    return { kind: 'relation', relation: { oid, schema, table, identity, columns } };
  }

  #truncate(): Truncate {
    const count = this.#uint32();
    const flags = this.#byte();
    if (count * 4 > this.#end - this.#at) throw malformed('a truncate is cut off');
    const oids = Array.from({ length: count }, () => this.#uint32());
    return { kind: 'truncate', cascade: (flags & 1) !== 0, restartIdentity: (flags & 2) !== 0, oids };
  }

  #need(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#end) throw malformed('it is cut off');
    this.#at = at + bytes;
    return at;
  }

  #byte(): number {
    return this.#buffer[this.#need(1)]!;
  }

  #uint16(): number {
    return this.#buffer.readUInt16BE(this.#need(2));
  }

  #uint32(): number {
    return this.#buffer.readUInt32BE(this.#need(4));
  }

  #lsn(): number {
    return lsnOf(this.#uint32(), this.#uint32());
  }

  #time(): number {
    return Number(this.#buffer.readBigInt64BE(this.#need(8))) + EPOCH_US;
  }

  #text(): string {
    const zero = this.#buffer.indexOf(0, this.#at);
    if (zero < 0 || zero >= this.#end) throw malformed('a name is cut off');
    const text = this.#buffer.toString('utf8', this.#at, zero);
    this.#at = zero + 1;
    return text;
  }
}

const isIdentity = (text: string): text is ReplicaIdentity => ['d', 'n', 'f', 'i', 'c'].includes(text);

/** Value of column `index` as text; null for NULL, undefined for an unchanged out-of-line value. */
export function textAt(tuple: Tuple, index: number): string | null | undefined {
  const kind = tuple.kinds[index];
  if (kind === NULL) return null;
  if (kind === UNCHANGED) return undefined;
  return tuple.buffer.toString('utf8', tuple.starts[index], tuple.ends[index]);
}
