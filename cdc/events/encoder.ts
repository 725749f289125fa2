import { type LogRecord, partitionOf, type TableSchema } from '#kernel';
import type { Delete, Insert, Relation, Tuple, Update } from '../pgoutput/index.ts';
import type { Arena } from './arena.ts';
import { ObjectWriter } from './columns.ts';
import { growth, worstCase, writeDigits, writeRaw } from './json.ts';

/** What all events of one transaction share, as bytes. Built once per transaction. */
export class TransactionBlock {
  readonly bytes: Buffer = Buffer.alloc(160);
  length = 0;

  /** `committedAt` in microseconds since 1970. */
  set(committedAt: number, xid: number): void {
    const ms = Math.floor(committedAt / 1000);
    this.length = this.bytes.write(
      `"ts_ms":${ms},"ts_us":${committedAt},"txId":${xid},"snapshot":"false",`,
      'latin1',
    );
  }
}

export interface EncoderOptions {
  readonly schema: TableSchema;
  readonly relation: Relation;
  readonly generation: number;
  readonly partitions: number;
  /** Takes one finished event. The buffers lie in the arena. */
  readonly emit: (partition: number, record: LogRecord) => void;
}

/** Where the change's message lies in its buffer. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

const OPS = { c: 0, u: 1, d: 2, t: 3 } as const;
const NULL = Buffer.from('null');
const BEFORE = Buffer.from('{"before":');
const AFTER = Buffer.from(',"after":');
/** Rows up to this size reserve their worst case; larger ones are measured. */
const SMALL = 16_384;
/** Room for everything in an event that is not a column. */
const ENVELOPE = 1024;

/**
 * Turns the changes of one table, in one shape and one snapshot generation, into change events
 * (kernel/change-event.ts) by copying column bytes straight from the wire buffer.
 */
export class TableEncoder {
  readonly #options: EncoderOptions;
  readonly #row: ObjectWriter;
  readonly #key: ObjectWriter;
  readonly #sourceHead: Buffer;
  readonly #sourceTail: Buffer;
  readonly #tails: Buffer[];
  readonly #fixed: number;
  #clock = 0;

  constructor(options: EncoderOptions) {
    const { schema, relation, generation } = options;
    this.#options = options;
    this.#row = new ObjectWriter(relation, schema.columns);
    this.#key = new ObjectWriter(
      relation,
      schema.key.map((name) => schema.columns.find((column) => column.name === name)!),
    );
    const text = JSON.stringify;
    this.#sourceHead = Buffer.from(
      `,"source":{"connector":"postgresql","name":${text(schema.source)},"schema":${text(schema.schema)},"table":${text(schema.table)},`,
    );
    this.#sourceTail = Buffer.from(`"gen":${generation},"sv":${schema.version},"lsn":`);
    this.#tails = ['c', 'u', 'd', 't'].map((op) => Buffer.from(`},"op":"${op}","ts_ms":0000000000000}`));
    this.#fixed =
      ENVELOPE +
      2 * this.#key.fixed +
      2 * this.#row.fixed +
      this.#sourceHead.length +
      this.#sourceTail.length;
  }

  get schema(): TableSchema {
    return this.#options.schema;
  }

  /** Reader's clock for the events that follow, ms since 1970. */
  tick(now: number): void {
    if (now === this.#clock) return;
    this.#clock = now;
    for (const tail of this.#tails) tail.write(String(now).padStart(13, '0'), tail.length - 14, 'latin1');
  }

  insert(change: Insert, at: Place, lsn: number, transaction: TransactionBlock, arena: Arena): void {
    this.#reserve(arena, change.row.buffer, at);
    this.#emit(OPS.c, null, change.row, null, lsn, transaction, arena);
  }

  update(change: Update, at: Place, lsn: number, transaction: TransactionBlock, arena: Arena): void {
    const old = change.oldKind === 'none' ? null : change.old;
    if (old !== null && this.#key.differs(old, change.row)) {
      this.#reserve(arena, change.row.buffer, at);
      this.#emit(OPS.d, old, null, old, lsn, transaction, arena, change.oldKind === 'full');
      this.#reserve(arena, change.row.buffer, at);
      this.#emit(OPS.c, null, change.row, old, lsn, transaction, arena);
      return;
    }
    this.#reserve(arena, change.row.buffer, at);
    const before = change.oldKind === 'full' ? old : null;
    this.#emit(OPS.u, before, change.row, old, lsn, transaction, arena, true);
  }

  /** A changed key whose new row leaves values out: they have to be filled in first (capture/unchanged.ts). */
  lacksValues(change: Update): boolean {
    if (change.oldKind === 'none') return false;
    return this.#row.lacks(change.row, change.old) && this.#key.differs(change.old, change.row);
  }

  delete(change: Delete, at: Place, lsn: number, transaction: TransactionBlock, arena: Arena): void {
    this.#reserve(arena, change.old.buffer, at);
    this.#emit(OPS.d, change.old, null, null, lsn, transaction, arena, change.oldKind === 'full');
  }

  /** One event without key to every partition. */
  truncate(lsn: number, transaction: TransactionBlock, arena: Arena): void {
    for (let partition = 0; partition < this.#options.partitions; partition += 1) {
      arena.reserve(this.#fixed);
      const start = arena.at;
      arena.at = this.#envelope(OPS.t, null, null, null, lsn, transaction, arena, false);
      this.#options.emit(partition, { key: null, value: arena.buffer.subarray(start, arena.at) });
    }
  }

  #emit(
    op: number,
    before: Tuple | null,
    after: Tuple | null,
    fallback: Tuple | null,
    lsn: number,
    transaction: TransactionBlock,
    arena: Arena,
    wholeBefore = false,
  ): void {
    const { buffer } = arena;
    const start = arena.at;
    const keyEnd = this.#key.write(buffer, start, (after ?? before)!, fallback);
    arena.at = keyEnd;
    const end = this.#envelope(op, before, after, fallback, lsn, transaction, arena, wholeBefore);
    arena.at = end;
    const key = buffer.subarray(start, keyEnd);
    const { partitions, emit } = this.#options;
    emit(partitions === 1 ? 0 : partitionOf(key, partitions), { key, value: buffer.subarray(keyEnd, end) });
  }

  #envelope(
    op: number,
    before: Tuple | null,
    after: Tuple | null,
    fallback: Tuple | null,
    lsn: number,
    transaction: TransactionBlock,
    arena: Arena,
    wholeBefore: boolean,
  ): number {
    const out = arena.buffer;
    let at = writeRaw(out, arena.at, BEFORE, 0, BEFORE.length);
    if (before === null) at = writeRaw(out, at, NULL, 0, 4);
    else at = (wholeBefore ? this.#row : this.#key).write(out, at, before, null);
    at = writeRaw(out, at, AFTER, 0, AFTER.length);
    if (after === null) at = writeRaw(out, at, NULL, 0, 4);
    else at = this.#row.write(out, at, after, fallback);
    at = writeRaw(out, at, this.#sourceHead, 0, this.#sourceHead.length);
    at = writeRaw(out, at, transaction.bytes, 0, transaction.length);
    at = writeRaw(out, at, this.#sourceTail, 0, this.#sourceTail.length);
    at = writeDigits(out, at, lsn);
    const tail = this.#tails[op]!;
    return writeRaw(out, at, tail, 0, tail.length);
  }

  /** A value can be written three times: in the key, as the old row and as the new one. */
  #reserve(arena: Arena, source: Buffer, { start, end }: Place): void {
    const bytes = end - start;
    if (bytes <= SMALL) arena.reserve(this.#fixed + 3 * worstCase(bytes));
    else arena.reserve(this.#fixed + 3 * (bytes + growth(source, start, end)));
  }
}
