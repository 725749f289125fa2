/**
 * Messages of PostgreSQL's `pgoutput` plugin, protocol version 1.
 * Source of the format: PostgreSQL documentation, "Logical Replication Message Formats".
 */
export interface RelationColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typmod: number;
  /** Part of the replica identity. */
  readonly partOfKey: boolean;
}

/** Replica identity: default (primary key), nothing, full row, index; change (YugabyteDB: key and changed columns). */
export type ReplicaIdentity = 'd' | 'n' | 'f' | 'i' | 'c';

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly identity: ReplicaIdentity;
  readonly columns: readonly RelationColumn[];
}

/** Column value kinds as they stand on the wire. */
export const NULL = 0x6e;
export const UNCHANGED = 0x75;
export const TEXT = 0x74;
export const BINARY = 0x62;

/**
 * A row as places in the wire buffer; nothing is copied. Valid until the decoder decodes its next
 * message. `starts[i]..ends[i]` bounds the bytes of column i when `kinds[i]` is TEXT.
 */
export interface Tuple {
  buffer: Buffer;
  count: number;
  kinds: Uint8Array;
  starts: Uint32Array;
  ends: Uint32Array;
}

export interface Begin {
  readonly kind: 'begin';
  /** LSN of the transaction's COMMIT record. */
  finalLsn: number;
  /** Commit time, microseconds since 1970. */
  committedAt: number;
  xid: number;
}

export interface Commit {
  readonly kind: 'commit';
  commitLsn: number;
  /** First position after the transaction: what is acknowledged. */
  endLsn: number;
  committedAt: number;
}

export interface Insert {
  readonly kind: 'insert';
  oid: number;
  row: Tuple;
}

/** `K`: only the identity columns are filled in, `O`: the whole old row. */
export type OldKind = 'none' | 'key' | 'full';

export interface Update {
  readonly kind: 'update';
  oid: number;
  old: Tuple;
  oldKind: OldKind;
  row: Tuple;
}

export interface Delete {
  readonly kind: 'delete';
  oid: number;
  old: Tuple;
  oldKind: OldKind;
}

export interface Truncate {
  readonly kind: 'truncate';
  cascade: boolean;
  restartIdentity: boolean;
  oids: readonly number[];
}

export interface RelationMessage {
  readonly kind: 'relation';
  relation: Relation;
}

/** Said before a relation that uses a type that is not built in; carries nothing the reader needs. */
export interface TypeMessage {
  readonly kind: 'type';
  oid: number;
  schema: string;
  name: string;
}

export interface Origin {
  readonly kind: 'origin';
  lsn: number;
  name: string;
}

export type PgoutputMessage =
  | Begin
  | Commit
  | Insert
  | Update
  | Delete
  | Truncate
  | RelationMessage
  | TypeMessage
  | Origin;
