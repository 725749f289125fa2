import type pg from 'pg';
import { silentLogger } from '#kernel';
import { Decoder, type Relation, type Tuple } from '../../pgoutput/index.ts';
import { encode, type Value } from '../../pgoutput/testing.ts';
import { openReplication, type ReplicationStream } from '../../replication/index.ts';

export interface ChangesOptions {
  readonly url: string;
  readonly admin: pg.Pool;
  /** Each column that an UPDATE did not change is left out with this chance: the others it had set to the same. */
  readonly omits: () => boolean;
  readonly onTransaction: (
    changes: readonly { relation: Relation; message: Buffer }[],
    committedAt: number,
    xid: number,
  ) => void;
}

const SLOT = 'standin_source';
const PUBLICATION = 'standin_all';

const KEYS_SQL = `SELECT a.attname AS name FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
  WHERE i.indrelid = $1 AND i.indisprimary`;

/**
 * Reads the real server's changes (whole rows: its tables have REPLICA IDENTITY FULL) and says them as
 * YugabyteDB does under identity CHANGE: an UPDATE carries the key and what it set, a DELETE the key, a
 * changed key is a DELETE and an INSERT, TRUNCATE leaves no record.
 */
export class RealChanges {
  readonly #options: ChangesOptions;
  readonly #decoder = new Decoder();
  readonly #relations = new Map<number, { relation: Relation; key: readonly number[] }>();
  #stream!: ReplicationStream;
  #done: Promise<void> = Promise.resolve();
  #transaction: { relation: Relation; message: Buffer }[] = [];
  #committedAt = 0;
  #xid = 0;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { admin, url } = this.#options;
    await admin.query(`CREATE PUBLICATION ${PUBLICATION} FOR ALL TABLES`);
    await admin.query(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
    this.#stream = await openReplication({
      url,
      slot: SLOT,
      publications: [PUBLICATION],
      log: silentLogger(),
    });
    this.#done = this.#read();
    this.#done.catch(() => undefined); // given to whoever stops it
  }

  async stop(): Promise<void> {
    await this.#stream?.stop();
    await this.#done;
  }

  async #read(): Promise<void> {
    const stream = this.#stream;
    do {
      while (stream.receive()) {
        if (stream.kind === 'change') await this.#take(stream.buffer, stream.start, stream.end);
      }
    } while (await stream.wait());
  }

  async #take(buffer: Buffer, start: number, end: number): Promise<void> {
    const message = this.#decoder.decode(buffer, start, end);
    switch (message.kind) {
      case 'begin':
        this.#transaction = [];
        this.#committedAt = message.committedAt;
        this.#xid = message.xid;
        return;
      case 'commit':
        this.#options.onTransaction(this.#transaction, this.#committedAt, this.#xid);
        this.#stream.acknowledge(message.endLsn);
        return;
      case 'relation':
        await this.#relation(message.relation);
        return;
      case 'insert':
        this.#say(message.oid, ({ oid }) => encode.insert(oid, valuesOf(message.row)));
        return;
      case 'delete':
        this.#say(message.oid, ({ oid }, key) =>
          encode.delete(oid, 'K', onlyKey(valuesOf(message.old), key)),
        );
        return;
      case 'update':
        this.#update(message.oid, valuesOf(message.old), valuesOf(message.row));
        return;
      default:
        return; // TRUNCATE: no record
    }
  }

  #update(oid: number, old: Value[], given: Value[]): void {
    const row = given.map((value, index) => (value === undefined ? old[index]! : value));
    const { key } = this.#relations.get(oid)!;
    if (key.some((index) => row[index] !== old[index])) {
      this.#say(oid, () => encode.delete(oid, 'K', onlyKey(old, key)));
      this.#say(oid, () => encode.insert(oid, row));
      return;
    }
    const partial = row.map((value, index) =>
      !key.includes(index) && value === old[index] && this.#options.omits() ? undefined : value,
    );
    this.#say(oid, () => encode.update(oid, partial));
  }

  #say(oid: number, message: (relation: Relation, key: readonly number[]) => Buffer): void {
    const { relation, key } = this.#relations.get(oid)!;
    this.#transaction.push({ relation, message: message(relation, key) });
  }

  async #relation(given: Relation): Promise<void> {
    const { rows } = await this.#options.admin.query<{ name: string }>(KEYS_SQL, [given.oid]);
    const names = new Set(rows.map(({ name }) => name));
    const columns = given.columns.map((column) => ({ ...column, partOfKey: names.has(column.name) }));
    const key = columns.flatMap(({ partOfKey }, index) => (partOfKey ? [index] : []));
    this.#relations.set(given.oid, { relation: { ...given, identity: 'c', columns }, key });
  }
}

const onlyKey = (row: readonly Value[], key: readonly number[]): Value[] =>
  row.map((value, index) => (key.includes(index) ? value : null));

function valuesOf(tuple: Tuple): Value[] {
  return Array.from({ length: tuple.count }, (_, index) => {
    const kind = String.fromCharCode(tuple.kinds[index]!);
    if (kind === 'n') return null;
    if (kind === 'u') return undefined;
    return tuple.buffer.toString('utf8', tuple.starts[index], tuple.ends[index]);
  });
}
