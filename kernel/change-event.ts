import type { TableId } from './tables.ts';

/**
 * Change events: Debezium's JSON envelope without embedded schema, so that topics written by the
 * native reader and by Debezium are read by the same sink.
 * Source of the format: Debezium documentation, PostgreSQL connector, "Data change events".
 *
 * Topic `<source>.<schema>.<table>`; record key = the key columns as a JSON object in key order.
 * A delete is `op: d` with `before` (at least the key). A changed key is a delete of the old key
 * followed by a create of the new one. The native reader writes no null-value tombstones; readers
 * must ignore them.
 */
export interface ChangeEvent {
  readonly op: 'c' | 'u' | 'd' | 'r' | 't' | 'm';
  readonly before: RowImage | null;
  readonly after: RowImage | null;
  readonly source: EventSource;
  /** When the reader wrote the event, ms since 1970. */
  readonly ts_ms: number;
}

/**
 * Values by column name. Native encoding (the sink also takes Debezium's numeric date forms):
 * bool -> true/false; int2/int4/int8, finite floats -> JSON number, digits kept exactly (int8 may
 * exceed 2^53: parse with care); float NaN/Infinity/-Infinity -> string; numeric -> string;
 * bytes -> base64 string; json -> string holding the JSON text; array -> string holding the source's
 * own array text `{...}`; all else -> the source's text form with DateStyle ISO, TimeZone UTC,
 * IntervalStyle postgres. An unchanged out-of-line value is `UNAVAILABLE`.
 */
export type RowImage = Readonly<Record<string, string | number | boolean | null>>;

export interface EventSource {
  readonly connector: string;
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  /** Commit time at the source: ms and microseconds since 1970. */
  readonly ts_ms: number;
  readonly ts_us: number;
  readonly txId: number;
  /** The change's own LSN (not the commit's). Row locks make it order all changes of one key. */
  readonly lsn: number;
  readonly snapshot: string;
  /** Snapshot generation of the table, see `rowVersion`. Absent in Debezium's events. */
  readonly gen?: number;
  /** `TableSchema.version` under which the row was written. Absent in Debezium's events. */
  readonly sv?: number;
}

/** Debezium's placeholder for an unchanged TOAST value. */
export const UNAVAILABLE = '__debezium_unavailable_value';

const LSN_BITS = 52n;
export const MAX_GENERATION = 4095;
const MAX_LSN = (1n << LSN_BITS) - 1n;

/**
 * `_version` (UInt64) = 12 bits of the table's generation, then 52 bits of LSN. A generation is one
 * snapshot of the table: the first one, each later re-snapshot, and each new slot starts another.
 * Snapshot rows have LSN 0, so that every streamed change of the same generation overrides them,
 * whenever the snapshot happened to read the row.
 */
export function rowVersion(generation: number, lsn: bigint): bigint {
  if (generation < 1 || generation > MAX_GENERATION) throw new RangeError(`generation ${generation}`);
  if (lsn < 0n || lsn > MAX_LSN) throw new RangeError(`lsn ${lsn}`);
  return (BigInt(generation) << LSN_BITS) | lsn;
}

/** First version of a generation: what its snapshot rows carry, and the string prefix for bulk use. */
export const snapshotVersion = (generation: number): bigint => rowVersion(generation, 0n);

/** Topic on which capture tells sinks about tables and progress. One partition; read by every sink. */
export const CONTROL_TOPIC = 'bac.control';
/** Consumer group of all sinks: what it has committed is in the warehouse. */
export const SINK_GROUP = 'bac.sink';

export interface IncompleteRow {
  readonly key: Readonly<Record<string, string>>;
  readonly lsn: number;
  readonly txId: number;
  /** Microseconds since 1970. */
  readonly committedAt: number;
}

export type ControlMessage =
  /**
   * All changes committed up to `committedAt` (microseconds since 1970, source clock) and `lsn` are in the log
   * below `ends` (next offset per topic and partition; topics not named have nothing pending).
   */
  | {
      readonly type: 'watermark';
      readonly source: string;
      readonly lsn: number;
      readonly committedAt: number;
      readonly ends: Readonly<Record<string, Readonly<Record<number, number>>>>;
    }
  /** A table's lifecycle moved (snapshot finished, new schema version, removed): re-read its registry row. */
  | ({ readonly type: 'table' } & TableId)
  /**
   * A sink holds events of this table that its registered shapes do not explain: capture looks at the source's
   * catalog and answers `looked` with the same `ask`. `columns` are those of the first event that waits.
   */
  | ({ readonly type: 'look'; readonly ask: string; readonly columns: readonly string[] } & TableId)
  /**
   * A sink holds events that leave unchanged values out, and the row that has them was another one until its key
   * changed: capture reads the rows from the source, appends them whole to the same partition under the change's
   * own LSN, and answers `looked`. Keys are source text by column.
   */
  | ({
      readonly type: 'complete';
      readonly ask: string;
      readonly partition: number;
      readonly rows: readonly IncompleteRow[];
    } & TableId)
  /** Answer to `look` and `complete`: what there was to do is done. `end`: offset behind the rows appended. */
  | ({ readonly type: 'looked'; readonly ask: string; readonly end?: number } & TableId)
  /** What the operator wants of a source changed (added, paused, resumed, removed, resnapshot): re-read `bac.sources`. */
  | { readonly type: 'source'; readonly source: string }
  /** Other definitions of apps are in force: re-read `bac.app_versions`. */
  | { readonly type: 'apps' }
  /**
   * Rows of these topics' tables in the warehouse have changed: what was read of them before is out of date. Told
   * before the watermark moves and before the offsets are committed, so it may be told twice, and is never left out.
   * `reshaped`: some of them may have other columns than before.
   */
  | { readonly type: 'stored'; readonly topics: readonly string[]; readonly reshaped?: true };
