import { HubError, type IncompleteRow, type StoredRecord, type Warehouse } from '#kernel';
import { debeziumScalar } from '../types/index.ts';
import { BatchEncoder, type DeadRecord, type EncodeTarget } from './batch.ts';
import { stamped } from './dead-letters.ts';
import { readChange } from './envelope.ts';
import { currentRows } from './lookup.ts';
import { mergeFields } from './merge.ts';
import { insertStatement } from './plan.ts';
import type { Rows } from './rows.ts';
import { systemField } from './rows.ts';
import { insertRows } from './store.ts';
import { Held, namesKey, Reshaped, type SinkTable } from './table.ts';

export interface ApplyContext {
  readonly warehouse: Warehouse;
  readonly signal: AbortSignal;
  /** More dead letters than this in one batch end the attempt. */
  readonly maxDead: number;
  /** The topic has other partitions, whose sinks may alter the table at any time. */
  readonly shared: boolean;
  readonly partition: number;
  /**
   * The source's catalog has been looked at since this record was first met and not understood. Asks for
   * that, if not.
   */
  readonly looked: (offset: number, columns: readonly string[]) => Promise<boolean>;
  /** Has rows completed by capture; the lowest index of those that are not yet, null = all are. */
  readonly completed: (rows: readonly Moved[]) => Promise<number | null>;
  /** Appends a record to all other partitions of the topic. */
  readonly spread: (record: StoredRecord) => Promise<void>;
  /** Which of these record keys have open dead letters; as latin1 text. */
  readonly deadKeys: (keys: readonly Buffer[]) => Promise<ReadonlySet<string>>;
}

export interface Moved {
  /** Of the record in the batch, and its place in the log. */
  readonly index: number;
  readonly offset: number;
  readonly row: IncompleteRow;
}

export interface Applied {
  /** Records below this index are in the warehouse or dead. */
  readonly done: number;
  readonly rows: number;
  readonly dead: readonly DeadRecord[];
  /** Set if the rest has to wait. */
  readonly held: Held | null;
}

/**
 * Brings the events of one delivered batch into a table: encodes, changes the shape where an event
 * needs it, completes partial rows, inserts. Any part of it may be done again at any time.
 */
export async function applyBatch(
  records: readonly StoredRecord[],
  table: SinkTable,
  rows: Rows,
  context: ApplyContext,
): Promise<Applied> {
  rows.reset();
  const encoder = new BatchEncoder(rows);
  const dead: DeadRecord[] = [];
  let stored = 0;
  /** Newest generation by which events have been judged that are not stored yet. */
  let newest: number | null = null;
  let reread = -1;
  let encodedFor = 0;
  const flush = async (): Promise<void> => {
    const batch = await storeRows(encoder, records, table, context);
    dead.push(...batch.dead);
    stored += batch.rows;
    encoder.flushed();
    if (newest !== null) await table.confirmGeneration(newest);
    newest = null;
    if (batch.waiting !== null) throw new Waiting(batch.waiting);
  };
  const heldBy = (names: readonly string[]): Applied => ({
    done: encoder.next,
    rows: stored,
    dead,
    held: new Held(`An event of ${table.entry.topic} does not fit its known shapes: ${names.join(', ')}.`),
  });
  /** True: the record at hand is out of the way. */
  const settled = async (stop: {
    lsn: number;
    names: readonly string[];
    error: HubError;
  }): Promise<boolean> => {
    const { generation } = await table.ready();
    // Another generation has become live: it is looked at again.
    if (generation !== encodedFor) return true;
    const since = table.foreign?.generations.find((one) => one.generation === generation)?.versions[0]?.since;
    // Its transaction had ended before the table was altered into the shape it has now: it is in the snapshot.
    if (stop.lsn < (since?.commit ?? 0)) encoder.next += 1;
    else if (!(await context.looked(records[encoder.next]!.offset, stop.names))) return false;
    else if (reread === encoder.next) {
      // The table has begun anew because of such changes: what they did is in its next snapshot.
      if ((table.foreign?.newest ?? generation) > generation) encoder.next += 1;
      else encoder.bury(stop.error, generation);
    } else {
      // What was known of the table may be older than the answer.
      reread = encoder.next;
      await table.readForeign();
    }
    return true;
  };
  const waits = (error: unknown): Applied => {
    if (!(error instanceof Waiting)) throw error;
    const reason = `Rows of ${table.entry.topic} whose key changed are being read from the source.`;
    return { done: error.record, rows: stored, dead, held: new Held(reason) };
  };
  return run().catch(waits);

  async function run(): Promise<Applied> {
    for (;;) {
      const applied = await table.ready();
      newest ??= table.foreign?.newest ?? null;
      encodedFor = applied.generation;
      const target: EncodeTarget = {
        plans: table.plans,
        foreign: table.foreign,
        partition: context.partition,
        generation: applied.generation,
        everyVersion: table.history !== null,
      };
      const stop = encoder.run(records, target);
      switch (stop.why) {
        case 'end':
          await flush();
          return { done: records.length, rows: stored, dead, held: null };
        case 'generation':
          await flush();
          return {
            done: encoder.next,
            rows: stored,
            dead,
            held: new Held(`Snapshot ${stop.generation} of ${table.entry.topic} is not live yet.`),
          };
        case 'truncate':
          await flush();
          // Rows of other partitions that are older may still be on their way: each empties the table again.
          if (stop.spread && context.shared) {
            await context.spread(stamped(records[encoder.next]!, stop.generation));
          }
          await table.truncate(stop.generation, stop.lsn, stop.committedAt);
          encoder.next += 1;
          break;
        case 'schema':
          // Rows so far fit the table as it is now.
          await flush();
          await table.plan(stop.version);
          break;
        case 'foreign':
          await table.readForeign();
          break;
        case 'names':
          await flush();
          if (await table.planNames(stop.names)) break;
          if (await settled({ ...stop, error: columnUnknown(stop.names) })) break;
          return heldBy(stop.names);
        case 'unexplained':
          await flush();
          if (await settled(stop)) break;
          return heldBy(stop.names);
        case 'widen':
          await flush();
          await table.widen(stop.columns);
          break;
      }
    }
  }
}

const columnUnknown = (names: readonly string[]): HubError =>
  new HubError('COLUMN_UNKNOWN', `The event has columns its table never had: ${names.join(', ')}.`, {
    next: 'Find out what wrote it into this topic, then discard the dead letter.',
  });

async function storeRows(
  encoder: BatchEncoder,
  records: readonly StoredRecord[],
  table: SinkTable,
  context: ApplyContext,
): Promise<{ rows: number; dead: DeadRecord[]; waiting: number | null }> {
  const { rows } = encoder;
  const dead = [...encoder.dead];
  if (rows.count === 0) return { rows: 0, dead, waiting: null };
  let waiting: number | null = null;
  const applied = await table.ready();
  if (encoder.holes.length > 0) {
    await fillHoles(encoder, table, context);
    waiting = await completeMoved(encoder, records, table, context);
    dead.push(...(await incomplete(encoder, records, context)));
  }
  const all = rows.starts.map((_, row) => row);
  const reject = (row: number, error: HubError): void => {
    rows.live[row] = false;
    dead.push({ record: rows.records[row]!, error });
  };
  const { history } = table;
  if (history !== null) {
    const indices = all.filter((row) => rows.live[row]);
    const statement = insertStatement(applied, history.stored);
    for (const { row, error } of await insertRows(
      context.warehouse,
      { ...applied, shards: history.shards },
      statement,
      rows,
      indices,
      context.maxDead,
      context.signal,
    )) {
      if (encoder.outdated.has(row)) rows.live[row] = false;
      else reject(row, error);
    }
  }
  const indices = all.filter((row) => rows.live[row] && !encoder.outdated.has(row));
  for (const { row, error } of await insertRows(
    context.warehouse,
    applied,
    insertStatement(applied),
    rows,
    indices,
    context.maxDead,
    context.signal,
  )) {
    reject(row, error);
  }
  if (context.shared) await table.confirm(applied, history);
  return { rows: indices.length, dead, waiting };
}

/**
 * Rows whose other values nobody has. Usually a later event deletes the row; but where an earlier event
 * of the row is a dead letter, this one has to wait with it, to be replayed after it.
 */
async function incomplete(
  encoder: BatchEncoder,
  records: readonly StoredRecord[],
  context: ApplyContext,
): Promise<DeadRecord[]> {
  const { rows, holes } = encoder;
  const lost = holes.map((hole) => rows.records[hole.row]!).filter((record) => records[record]?.key);
  if (lost.length === 0) return [];
  const textOf = (record: number): string => records[record]!.key?.toString('latin1') ?? '';
  const here = new Set(encoder.dead.map(({ record }) => textOf(record)));
  const before = await context.deadKeys(lost.map((record) => records[record]!.key!));
  return lost
    .filter((record) => here.has(textOf(record)) || before.has(textOf(record)))
    .map((record) => ({
      record,
      error: new HubError(
        'ROW_INCOMPLETE',
        'An earlier event of the row, which has the values this one leaves out, is a dead letter.',
        {
          next: 'Replay the dead letters of the table together.',
        },
      ),
    }));
}

/**
 * Rows whose unchanged values were another key's are completed by capture, from the source: it appends them
 * whole behind these events. Until it has, the first of them (its index is given) and all that follow wait.
 */
async function completeMoved(
  { rows, holes }: BatchEncoder,
  records: readonly StoredRecord[],
  table: SinkTable,
  context: ApplyContext,
): Promise<number | null> {
  const wanted = holes.flatMap(({ row }) => {
    const index = rows.records[row]!;
    const record = records[index]!;
    const incomplete = incompleteRow(record, table);
    return incomplete === null ? [] : [{ index, offset: record.offset, row: incomplete }];
  });
  return wanted.length === 0 ? null : context.completed(wanted);
}

/** What capture needs to find the row; null: a native event, which leaves out only what the same row has. */
function incompleteRow({ value }: StoredRecord, { entry, foreign }: SinkTable): IncompleteRow | null {
  const change = value === null ? null : readChange(value);
  if (change === null || change.schemaVersion !== null || change.after === null) return null;
  const { after, lsn, txId, committedAt } = change;
  const plan = foreign?.plans.get(namesKey(Object.keys(after)))?.plan;
  // Forgotten meanwhile, by a message: the batch is looked at again.
  if (plan === undefined) throw new Reshaped(entry.topic);
  const key: Record<string, string> = {};
  for (const field of plan.key) {
    const column = plan.columns.find(({ target }) => target === field);
    if (column === undefined || column.type.kind === 'array') return null;
    const text = debeziumScalar(column.type, after[column.name] ?? null, true);
    if (text === null) return null;
    key[column.name] = typeof text === 'string' ? text : `\\x${text.toString('hex')}`;
  }
  return { key, lsn, txId, committedAt };
}

/** The record at this index has to wait for capture. */
class Waiting extends Error {
  readonly record: number;

  constructor(record: number) {
    super('waiting for rows to be completed');
    this.record = record;
  }
}

/**
 * Completes rows with unchanged values from the warehouse. A row that is not there, or deleted: the
 * event is of a row that a later event deletes. One that is as new: the event has been applied already,
 * and what it left out may by now be another row's under the key it came from. Both are left out.
 */
async function fillHoles(encoder: BatchEncoder, table: SinkTable, context: ApplyContext): Promise<void> {
  const { rows, holes } = encoder;
  const applied = await table.ready();
  const at = systemField(applied.columns.length);
  const positions = applied.key.map((attnum) =>
    applied.columns.findIndex((column) => column.attnum === attnum),
  );
  const plan = [...table.plans.values()].at(-1);
  if (plan === undefined) return;
  const versionOf = (fields: readonly string[]): bigint => BigInt(fields[at.version]!);
  const live = (fields: readonly string[] | undefined, before: bigint): readonly string[] | null =>
    fields !== undefined && fields[at.deleted] === '0' && versionOf(fields) < before ? fields : null;
  const open = holes.splice(0).map((hole) => {
    const own = rows.fields(hole.row);
    return { ...hole, own, key: positions.map((position) => own[position]!) };
  });
  const keys = open.filter(({ moved }) => !moved).map(({ key }) => key);
  const found = await currentRows(context.warehouse, applied, keys);
  for (const { own, key, ...hole } of open) {
    const version = versionOf(own);
    const present = found.get(key.join('\t'));
    if (present !== undefined && versionOf(present) >= version) {
      rows.live[hole.row] = false;
      continue;
    }
    const current = hole.moved ? null : live(present, version);
    if (current !== null) mergeFields(rows, hole.row, current, hole.fields, plan);
    else {
      rows.live[hole.row] = false;
      holes.push(hole);
    }
  }
}
