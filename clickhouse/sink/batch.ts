import { HubError, type StoredRecord, toHubError } from '#kernel';
import { rawField } from '../types/index.ts';
import { TimeWriter, VersionWriter } from './digits.ts';
import { type Change, matches, readChange, readTail, Tail } from './envelope.ts';
import { generationAt } from './foreign.ts';
import { encodeImage } from './image.ts';
import { mergeFields } from './merge.ts';
import type { Plan } from './plan.ts';
import type { Hole, Rows } from './rows.ts';
import { RowScanner } from './scan.ts';
import { type ForeignPlan, type ForeignPlans, namesKey } from './table.ts';

/** Why encoding stopped before the end of the records. */
export type Stop =
  | { readonly why: 'end' }
  /** The record at `next` was written under a schema version without a plan. */
  | { readonly why: 'schema'; readonly version: number }
  /** The record at `next` is the first that says neither generation nor version. */
  | { readonly why: 'foreign' }
  /** ... and has columns for which there is no plan yet. */
  | { readonly why: 'names'; readonly names: readonly string[]; readonly lsn: number }
  /** ... and does not fit the shapes of its generation: they may be behind, or it is older than they are. */
  | {
      readonly why: 'unexplained';
      readonly names: readonly string[];
      readonly lsn: number;
      readonly error: HubError;
    }
  /** The record at `next` belongs to a snapshot generation that is not live yet. */
  | { readonly why: 'generation'; readonly generation: number }
  /** The record at `next` is a TRUNCATE: what is before it has to be stored first. */
  | {
      readonly why: 'truncate';
      readonly generation: number;
      readonly lsn: number;
      readonly committedAt: number;
      /** It stands in one partition only, and the others have to learn of it. */
      readonly spread: boolean;
    }
  /** A column got NULL that cannot hold it: the table has to be widened before `next` is read again. */
  | { readonly why: 'widen'; readonly columns: readonly string[] };

export interface DeadRecord {
  readonly record: number;
  readonly error: HubError;
  /** Generation of an event that does not say it by itself. */
  readonly generation?: number | undefined;
}

export interface EncodeTarget {
  /** Plans by schema version. */
  readonly plans: ReadonlyMap<number, Plan>;
  /** For events without generation and version. */
  readonly foreign: ForeignPlans | null;
  /** Partition of the records. */
  readonly partition: number;
  /** Generation of the live table. */
  readonly generation: number;
  /** Keep rows that a later one of the batch replaces, and rows of older generations. */
  readonly everyVersion: boolean;
}

/** What holes of an event of Debezium's depend on. */
interface Origin {
  readonly lsn: number;
  readonly created: boolean;
  readonly unsure: boolean;
}

const BEFORE_NULL = Buffer.from('{"before":null,"after":{');
const BEFORE_ROW = Buffer.from('{"before":{');
const AFTER_ROW = Buffer.from(',"after":{');
const RAW_EMPTY = Buffer.from('{}\t');
const OP_DELETE = 0x64;
const OP_TRUNCATE = 0x74;

/** Encodes the events of one delivered batch into rows; goes on where it stopped. */
export class BatchEncoder {
  readonly rows: Rows;
  readonly holes: Hole[] = [];
  readonly dead: DeadRecord[] = [];
  /** Index of the next record to be read. */
  next = 0;
  /** Rows of generations older than the live one, which the table must not get. */
  readonly outdated = new Set<number>();
  readonly #lastOfKey = new Map<string, number>();
  readonly #scanner = new RowScanner();
  readonly #tail = new Tail();
  readonly #version = new VersionWriter();
  readonly #time = new TimeWriter();
  /** Only Debezium's: the native reader leaves nothing out when a key changes. */
  #lastDelete: { lsn: number; row: number; prior: number | undefined } | null = null;

  constructor(rows: Rows) {
    this.rows = rows;
  }

  /** Forgets the rows so far, which have been stored. */
  flushed(): void {
    this.rows.reset();
    this.holes.length = 0;
    this.dead.length = 0;
    this.outdated.clear();
    this.#lastOfKey.clear();
    this.#lastDelete = null;
  }

  run(records: readonly StoredRecord[], target: EncodeTarget): Stop {
    for (; this.next < records.length; this.next += 1) {
      const record = records[this.next]!;
      if (record.value === null) continue;
      const stop = this.#fast(record, record.value, target) ?? this.#slow(record, record.value, target);
      if (stop !== DONE) return stop;
    }
    return { why: 'end' };
  }

  /** Undefined: not a native event, or one with something unusual in it. */
  #fast(record: StoredRecord, value: Buffer, target: EncodeTarget): Stop | undefined {
    const tail = this.#tail;
    if (!readTail(value, tail) || tail.op === OP_TRUNCATE) return undefined;
    if (tail.generation !== target.generation) return undefined;
    const plan = target.plans.get(tail.schemaVersion);
    if (plan === undefined || !plan.ordered) return undefined;
    const deleted = tail.op === OP_DELETE;
    let at = BEFORE_NULL.length - 1;
    if (!matches(value, 0, BEFORE_NULL)) {
      if (!matches(value, 0, BEFORE_ROW)) return undefined;
      at = BEFORE_ROW.length - 1;
      if (!deleted) {
        // The old row of a full identity is read over.
        const end = skipObject(value, at);
        if (end < 0 || !matches(value, end, AFTER_ROW)) return undefined;
        at = end + AFTER_ROW.length - 1;
      }
    } else if (deleted) return undefined;
    const { rows } = this;
    rows.reserve(plan.growth * value.length + plan.overhead);
    const start = rows.at;
    try {
      if (!this.#scanner.scan(value, at, rows.buffer, start, plan, !deleted)) return undefined;
    } catch {
      // The general path finds the same fault and says which.
      return undefined;
    }
    if (!deleted && at > BEFORE_NULL.length && this.#scanner.holes.length > 0) return undefined;
    rows.at = this.#scanner.to;
    this.#raw(RAW_EMPTY);
    this.#system(tail.generation, tail.lsn, deleted, tail.committedAt);
    const row = rows.close(start, this.next, deleted, tail.generation, tail.lsn);
    this.#add(record, row, this.#scanner.holes, null, plan, target);
    return DONE;
  }

  #slow(record: StoredRecord, value: Buffer, target: EncodeTarget): Stop {
    let change: Change | null;
    try {
      change = readChange(value);
    } catch (error) {
      this.dead.push({ record: this.next, error: toHubError(error) });
      return DONE;
    }
    if (change === null) return DONE;
    if (change.schemaVersion === null) return this.#foreign(record, change, target);
    const generation = change.generation ?? target.generation;
    if (generation > target.generation) return { why: 'generation', generation };
    const outdated = generation < target.generation;
    if (outdated && !target.everyVersion) return DONE;
    if (change.op === 't') {
      if (outdated) return DONE;
      return { why: 'truncate', generation, lsn: change.lsn, committedAt: change.committedAt, spread: false };
    }
    const plan = target.plans.get(change.schemaVersion);
    if (plan === undefined) return { why: 'schema', version: change.schemaVersion };
    try {
      const widen = this.#image(record, change, generation, plan, target);
      if (widen.length === 0) return DONE;
      if (!outdated) return { why: 'widen', columns: widen };
    } catch (error) {
      // An older generation's values may not fit today's types; today's rows come from a newer snapshot.
      if (!outdated) this.dead.push({ record: this.next, error: toHubError(error) });
    }
    return DONE;
  }

  /** An event of Debezium's. */
  #foreign(record: StoredRecord, change: Change, target: EncodeTarget): Stop {
    const { foreign, partition } = target;
    if (foreign === null) return { why: 'foreign' };
    const { lsn } = change;
    // Only a dead letter that is replayed says its generation, see `stamped`.
    const generation =
      change.generation ?? generationAt(foreign.generations, partition, record.offset, lsn)?.generation ?? 0;
    if (generation > target.generation) return { why: 'generation', generation };
    if (generation < target.generation) return DONE;
    if (change.op === 't') {
      const spread = change.generation === null;
      return { why: 'truncate', generation, lsn, committedAt: change.committedAt, spread };
    }
    const image = change.op === 'd' ? change.before : change.after;
    const names = Object.keys(image ?? {});
    const found = foreign.plans.get(namesKey(names));
    if (found === undefined && image !== null) return { why: 'names', names, lsn };
    try {
      const widen = this.#foreignRow(record, change, generation, found, target);
      return widen.length === 0 ? DONE : { why: 'widen', columns: widen };
    } catch (error) {
      return { why: 'unexplained', names, lsn, error: toHubError(error) };
    }
  }

  #foreignRow(
    record: StoredRecord,
    change: Change,
    generation: number,
    found: ForeignPlan | undefined,
    target: EncodeTarget,
  ): readonly string[] {
    if (found === undefined) throw rowMissing(change.op);
    const { plan, deletes } = found;
    const own = (image: Change['before']): Change['before'] =>
      image === null || deletes === null
        ? image
        : Object.fromEntries(Object.entries(image).filter(([name]) => deletes.has(name)));
    const before = own(change.before);
    if (change.op !== 'u' || before === null || sameKey(plan, before, change.after)) {
      return this.#image(
        record,
        change.op === 'u' ? change : { ...change, before },
        generation,
        plan,
        target,
      );
    }
    // Debezium splits a change of key only where it knows the key: not of tables without a primary key.
    const keyless = { ...record, key: null };
    this.#image(keyless, { ...change, op: 'd', before, after: null }, generation, plan, target);
    return this.#image(keyless, change, generation, plan, target);
  }

  /** The record at `next` can never be stored. */
  bury(error: HubError, generation: number): void {
    this.dead.push({ record: this.next, error, generation });
    this.next += 1;
  }

  #image(
    record: StoredRecord,
    change: Change,
    generation: number,
    plan: Plan,
    target: EncodeTarget,
  ): readonly string[] {
    const deleted = change.op === 'd';
    const image = deleted ? change.before : change.after;
    if (image === null) throw rowMissing(change.op);
    const foreign = change.schemaVersion === null;
    const split = change.op === 'c' && this.#lastDelete?.lsn === change.lsn;
    const nullIsUnsure = foreign && change.before === null && (change.op === 'u' || split);
    const { fields, raw, holes, unsure, widen } = encodeImage(plan, image, !deleted, foreign, nullIsUnsure);
    if (widen.length > 0) return widen;
    if (holes.length > 0 && change.before !== null && change.op === 'u') {
      const old = encodeImage(plan, change.before, true, foreign);
      for (const hole of holes.splice(0)) {
        if (old.holes.includes(hole)) holes.push(hole);
        else {
          fields[hole] = old.fields[hole]!;
          const name = plan.columns.find((column) => column.target === hole)!.rawName;
          if (old.raw.has(name)) raw.set(name, old.raw.get(name)!);
        }
      }
    }
    const { rows } = this;
    const start = rows.at;
    for (const field of fields) {
      const bytes = typeof field === 'string' ? Buffer.from(field) : field;
      rows.reserve(bytes.length + 64);
      rows.at += bytes.copy(rows.buffer, rows.at);
      rows.buffer[rows.at++] = 0x09;
    }
    this.#raw(raw.size === 0 ? RAW_EMPTY : Buffer.from(`${rawField(raw)}\t`));
    this.#system(generation, change.lsn, deleted, change.committedAt);
    const origin = foreign ? { lsn: change.lsn, created: change.op === 'c', unsure } : null;
    const row = rows.close(start, this.next, deleted, generation, change.lsn);
    this.#add(record, row, holes, origin, plan, target);
    if (generation < target.generation) this.outdated.add(rows.count - 1);
    return [];
  }

  #raw(field: Buffer): void {
    const { rows } = this;
    rows.reserve(field.length + 128);
    rows.at += field.copy(rows.buffer, rows.at);
  }

  #system(generation: number, lsn: number, deleted: boolean, committedAt: number): void {
    const { rows } = this;
    const out = rows.buffer;
    let at = this.#version.write(out, rows.at, generation, lsn);
    out[at++] = 0x09;
    out[at++] = deleted ? 0x31 : 0x30;
    out[at++] = 0x09;
    at = this.#time.write(out, at, committedAt);
    out[at++] = 0x0a;
    rows.at = at;
  }

  /** Of several rows of a key the newest change's stays: an older one may come later in the log. */
  #add(
    record: StoredRecord,
    row: number,
    holes: readonly number[],
    foreign: Origin | null,
    plan: Plan,
    target: EncodeTarget,
  ): void {
    const { rows } = this;
    const key = record.key === null ? null : record.key.toString('latin1');
    const last = key === null ? undefined : this.#lastOfKey.get(key);
    const overtaken = last !== undefined && rows.isOlder(row, last);
    if (key !== null && !overtaken) this.#lastOfKey.set(key, row);
    if (last !== undefined && !target.everyVersion) rows.live[overtaken ? row : last] = false;
    const earlier = overtaken ? undefined : last;
    if (holes.length > 0 && rows.live[row]) this.#fill(row, holes, earlier, foreign, plan);
    if (rows.deleted[row] && foreign !== null) this.#lastDelete = { lsn: foreign.lsn, row, prior: earlier };
  }

  /** Missing values come from an earlier row of the batch, else they wait for the warehouse's row. */
  #fill(
    row: number,
    holes: readonly number[],
    earlier: number | undefined,
    foreign: Origin | null,
    plan: Plan,
  ): void {
    if (foreign?.unsure) {
      this.holes.push({ row, fields: [...holes], moved: true });
      return;
    }
    const { rows } = this;
    // A changed key comes as a delete of the old and a create of the new with the same position.
    const last = foreign !== null && this.#lastDelete?.lsn === foreign.lsn ? this.#lastDelete : null;
    const base = last === null ? earlier : last.prior;
    if (base !== undefined && !rows.deleted[base]) {
      const pending = this.holes.find((hole) => hole.row === base);
      const open = holes.filter((field) => pending?.fields.includes(field) ?? false);
      mergeFields(rows, row, rows.fields(base), holes, plan);
      if (open.length > 0) this.holes.push({ row, fields: open, moved: last !== null || pending!.moved });
      return;
    }
    const moved = last !== null || foreign?.created === true;
    this.holes.push({ row, fields: [...holes], moved });
  }
}

const DONE: Stop = { why: 'end' };

const rowMissing = (op: string): HubError =>
  new HubError('EVENT_INVALID', `An event with op ${op} has no row.`, {
    next: 'Find out what wrote it into this topic, then discard the dead letter.',
  });

/** True if both rows have the same key, or the old one does not show it. */
function sameKey(plan: Plan, before: NonNullable<Change['before']>, after: Change['after']): boolean {
  const key = plan.key.map((field) => plan.columns.find(({ target }) => target === field)?.name ?? '');
  if (!key.every((name) => Object.hasOwn(before, name))) return true;
  const [old, now] = [encodeImage(plan, before, false, true), encodeImage(plan, after ?? {}, true, true)];
  return plan.key.every((field, index) => {
    const name = plan.columns.find(({ target }) => target === field)?.rawName ?? key[index]!;
    return (
      now.holes.includes(field) ||
      (String(old.fields[field]) === String(now.fields[field]) && old.raw.get(name) === now.raw.get(name))
    );
  });
}

/** Index behind the flat object that begins at `at`; -1 if it does not end. */
function skipObject(value: Uint8Array, start: number): number {
  for (let at = start + 1; at < value.length; at += 1) {
    const byte = value[at];
    if (byte === 0x7d) return at + 1;
    if (byte !== 0x22) continue;
    for (at += 1; at < value.length && value[at] !== 0x22; at += 1) if (value[at] === 0x5c) at += 1;
  }
  return -1;
}
