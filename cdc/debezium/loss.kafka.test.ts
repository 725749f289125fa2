import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareTable } from '#tests/compare';
import { eventually } from '#tests/eventually';
import { type Capture, pauseSource, resumeSource } from '../capture/index.ts';
import { type World, world } from './testing.ts';

/** The worker's offset.flush.interval.ms. */
const FLUSH_MS = 1000;

let w: World;
let capture: Capture;
beforeAll(async () => {
  w = await world();
  await w.app.query(`CREATE TABLE items (id int PRIMARY KEY, v text); INSERT INTO items VALUES (0, 'first');
    CREATE TABLE copied (id int PRIMARY KEY, v text); CREATE TABLE aside (id int);
    CREATE TABLE waits (id int PRIMARY KEY, v text)`);
  capture = await w.capture();
  const connector = { 'status.update.interval.ms': 1 };
  await w.add({
    name: 'shop',
    engine: 'debezium',
    tables: ['items', 'copied', 'waits'],
    debezium: { connector },
  });
  for (const table of ['items', 'copied', 'waits']) await w.streams('shop', table);
});
afterAll(() => w?.[Symbol.asyncDispose]());

const equal = async (table: string): Promise<void> => {
  await w.settled('shop');
  expect(await compareTable(w.app, w.clickhouse.warehouse, 'shop', 'public', table)).toEqual([]);
};

const position = async (sql: string): Promise<number> =>
  Number((await w.app.query<{ lsn: string }>(`SELECT (${sql} - '0/0')::text AS lsn`)).rows[0]!.lsn);
const confirmed = (): Promise<number> =>
  position("(SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'bac_shop')");

/** Resolves once the connector has told the server how far it is after Connect has had offsets to commit twice. */
async function reported(): Promise<void> {
  const { rows } = await w.app.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  const since = rows[0]!.now.getTime() + 2 * FLUSH_MS;
  await eventually(
    async () => {
      const { rows: replies } = await w.app.query<{ at: Date }>(
        `SELECT r.reply_time AS at FROM pg_stat_replication r
         JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = 'bac_shop'`,
      );
      return replies.some(({ at }) => at.getTime() > since) ? true : undefined;
    },
    15_000,
    () => 'the connector does not report',
  );
}

test('what the broker does not have is not confirmed to the source, and survives a kill -9', async () => {
  const long = new pg.Client({ connectionString: w.url });
  await long.connect();
  try {
    await long.query(
      `BEGIN; INSERT INTO items SELECT g, repeat('long', 60) FROM generate_series(100001, 160000) g`,
    );
    await w.app.query(`INSERT INTO items VALUES (1, 'settled')`);
    const settled = await position('pg_current_wal_insert_lsn()');
    await equal('items');
    await eventually(async () => ((await confirmed()) + 64 >= settled ? true : undefined), 30_000);
    process.kill(w.kafka.pids().brokers[0]!, 'SIGSTOP');
    try {
      const before = await position('pg_current_wal_insert_lsn()');
      await w.app.query(`INSERT INTO items VALUES (2, 'not acknowledged')`);
      // Its changes lie below what is confirmed already, its end above what is not in the log yet.
      await long.query('COMMIT');
      await reported();
      expect(await confirmed()).toBeLessThanOrEqual(before);
      await w.kafka.killConnect();
    } finally {
      // Continued, it would still read what lies in its sockets.
      await w.kafka.restart(1);
    }
  } finally {
    await long.end();
  }
  await w.kafka.restartConnect();
  await equal('items');
});

test('what one topic cannot take yet survives a kill -9, however far the others are', async () => {
  await w.app.query("INSERT INTO waits VALUES (1, 'known')");
  await equal('waits');
  await capture.stop();
  const before = await position('pg_current_wal_insert_lsn()');
  // Its producer tries again as long as the broker does not know the topic.
  await w.log.deleteTopic('shop.public.waits');
  await w.app.query("INSERT INTO waits VALUES (2, 'waits')");
  await w.app.query("INSERT INTO copied SELECT g, 'goes on' FROM generate_series(1000001, 1001000) g");
  await reported();
  expect(await confirmed()).toBeLessThanOrEqual(before);
  await w.kafka.killConnect();
  await w.log.ensureTopic('shop.public.waits', { partitions: 1 });
  await w.kafka.restartConnect();
  capture = await w.capture();
  for (const table of ['waits', 'copied']) await equal(table);
});

describe('a slot that was moved past what is in the log moves no watermark, and all tables begin anew', () => {
  const advance = (): Promise<boolean | undefined> =>
    w.app.query("SELECT pg_replication_slot_advance('bac_shop', pg_current_wal_flush_lsn())").then(
      () => true,
      () => undefined, // the server has not noticed that its reader is gone
    );
  /** Gives a position that no offset is beyond. */
  const skip = async (id: number): Promise<number> => {
    await w.settled('shop');
    await w.kafka.killConnect();
    const before = await position('pg_current_wal_insert_lsn()');
    await w.app.query('INSERT INTO items VALUES ($1, $2)', [id, 'skipped']);
    await eventually(advance, 30_000, () => 'the slot is still read');
    return before;
  };

  test('while the server still has what was passed over', async () => {
    await skip(4);
    await expect(w.settled('shop', 3000)).rejects.toThrow('not settled');
    await w.kafka.restartConnect();
    await equal('items');
  });

  test('after the server has let go of it, when Debezium only fails', async () => {
    const before = await skip(5);
    const kept = "(SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'bac_shop')";
    await eventually(async () => {
      await w.app.query('SELECT pg_log_standby_snapshot()');
      await advance();
      return (await position(kept)) > before ? true : undefined;
    }, 30_000);
    await w.kafka.restartConnect();
    await equal('items');
  });
});

test('rows that share one LSN survive a pause between them', async () => {
  await w.settled('shop');
  const start = await position('pg_current_wal_insert_lsn()');
  const rows = Array.from({ length: 60_000 }, (_, index) => `${index}\trow\n`).join('');
  await pipeline(Readable.from([rows]), w.app.query(from('COPY copied FROM STDIN')));
  const end = await position('pg_current_wal_insert_lsn()');
  await eventually(
    async () => {
      const [offset] = await w.connect.offsets('bac-shop');
      const lsn = Number(offset?.lsn ?? 0);
      expect(lsn).toBeLessThan(end - 4096);
      return lsn > start ? true : undefined;
    },
    60_000,
    () => 'no offset within the transaction',
  );
  await pauseSource(w.pool, w.log, 'shop');
  await eventually(async () => ((await w.source('shop')).state === 'paused' ? true : undefined), 60_000);
  await resumeSource(w.pool, w.log, 'shop');
  await equal('copied');
});

test('an idle source is fresh, whatever is written beside its tables', async () => {
  for (let round = 0; round < 3; round += 1) {
    await w.app.query('INSERT INTO aside SELECT generate_series(1, 100)');
    await w.settled('shop', 15_000);
  }
  await w.settled('shop', 15_000);
});

test('a slot that went while nobody looked is not made anew in silence', async () => {
  await capture.stop();
  await w.kafka.killConnect();
  await eventually(
    () =>
      w.app.query("SELECT pg_drop_replication_slot('bac_shop')").then(
        () => true,
        () => undefined,
      ),
    30_000,
    () => 'the slot is still read',
  );
  await w.app.query(`INSERT INTO items VALUES (3, 'unseen')`);
  await w.kafka.restartConnect();
  await eventually(
    async () => {
      const status = await w.connect.status('bac-shop');
      return status?.tasks.some(({ state }) => state === 'FAILED') ? true : undefined;
    },
    60_000,
    () => 'the connector goes on',
  );
  expect((await w.app.query('SELECT FROM pg_replication_slots')).rowCount).toBe(0);
  capture = await w.capture();
  await equal('items');
});
