import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { bulkStream } from './bulk-socket.ts';
import { CopyOut } from './copy-out.ts';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await testPostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

/** Rows of one byte up to three megabytes: message headers fall everywhere in the received chunks. */
const ROWS = `SELECT i, repeat(chr(97 + i % 26), CASE WHEN i % 5000 = 0 THEN 3000000 ELSE (i * 7919) % 1500 END) AS v
  FROM generate_series(1, 20000) i`;

describe.each([
  { socket: 'of its own buffer', stream: bulkStream as () => Duplex },
  { socket: 'as Node makes it', stream: () => new Socket() },
])('over a socket $socket', ({ stream }) => {
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client({ connectionString: postgres.url, stream });
    client.on('error', () => undefined);
    await client.connect();
  });
  afterAll(() => client.end());

  test('gives every byte, the number of rows, and the session back', async () => {
    const hash = createHash('md5');
    const copy = client.query(new CopyOut(`COPY (${ROWS}) TO STDOUT`));
    let bytes = 0;
    await pipeline(copy, async (chunks) => {
      for await (const chunk of chunks) {
        bytes += (chunk as Buffer).length;
        hash.update(chunk as Buffer);
        // A slow reader: the socket is paused and goes on again.
        if (bytes % 7 === 0) await new Promise(setImmediate);
      }
    });
    expect(copy.rowCount).toBe(20_000);
    const { rows } = await client.query<{ n: string; sum: string }>(
      `SELECT sum(length(i::text) + length(v) + 2) AS n, md5(string_agg(i || E'\\t' || v || E'\\n', '' ORDER BY i)) AS sum FROM (${ROWS}) r`,
    );
    expect({ n: String(bytes), sum: hash.digest('hex') }).toEqual(rows[0]);
  });

  test('an empty result and notices in between', async () => {
    await client.query(
      `CREATE FUNCTION pg_temp.loud(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'row %', i; RETURN i; END $$`,
    );
    const none = client.query(new CopyOut('COPY (SELECT 1 WHERE false) TO STDOUT'));
    expect(await none.toArray()).toEqual([]);
    expect(none.rowCount).toBe(0);
    const loud = client.query(
      new CopyOut('COPY (SELECT pg_temp.loud(i) FROM generate_series(1, 3) i) TO STDOUT'),
    );
    expect(Buffer.concat(await loud.toArray()).toString()).toBe('1\n2\n3\n');
  });

  test('a failure of the server in the middle is its own error, and the session goes on', async () => {
    const copy = client.query(
      new CopyOut('COPY (SELECT 1 / (50000 - i) FROM generate_series(1, 100000) i) TO STDOUT'),
    );
    await expect(copy.toArray()).rejects.toMatchObject({ code: '22012' });
    expect(copy.failure).toMatchObject({ code: '22012' });
    const refused = client.query(new CopyOut('COPY (SELECT nonsense) TO STDOUT'));
    await expect(refused.toArray()).rejects.toMatchObject({ code: '42703' });
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('a session that is ended in the middle is told to the reader', async () => {
    const other = new pg.Client({ connectionString: postgres.url, stream });
    other.on('error', () => undefined);
    await other.connect();
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const copy = other.query(
      new CopyOut("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 10000000)) TO STDOUT"),
    );
    const reading = pipeline(copy, async (chunks) => {
      let first = true;
      for await (const _ of chunks) {
        if (first) await client.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
        first = false;
      }
    });
    await expect(reading).rejects.toThrow();
    expect(copy.failure).not.toBeNull();
  });
});
