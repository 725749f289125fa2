import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';

/** The protocol as the real client and plain HTTP see it. */

let engine: TestClickHouse;
let client: ClickHouseClient;

beforeAll(async () => {
  engine = await testClickHouse();
  client = newClient({ url: engine.url, username: engine.user, password: engine.password });
});

afterAll(async () => {
  await client.close();
  await engine[Symbol.asyncDispose]();
});

const newClient = (options: Parameters<typeof createClient>[0]): ClickHouseClient =>
  createClient({ log: { level: ClickHouseLogLevel.OFF }, ...options });
const auth = (): string => `Basic ${Buffer.from(`${engine.user}:${engine.password}`).toString('base64')}`;
const http = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${engine.url}${path}`, { ...init, headers: { authorization: auth(), ...init.headers } });
const post = (
  query: string,
  body?: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Response> =>
  http(`/?query=${encodeURIComponent(query)}`, {
    method: 'POST',
    body,
    headers,
    duplex: 'half',
  } as RequestInit);

describe('statements', () => {
  test('in the URL, in the body, and split over both', async () => {
    expect(await (await http('/?query=SELECT%201')).text()).toBe('1\n');
    expect(await (await http('/', { method: 'POST', body: 'SELECT 2' })).text()).toBe('2\n');
    expect(await (await post('SELECT 3', '+ 4')).text()).toBe('7\n');
    expect(await (await post("SELECT 'PIPE', '$&', '$1'")).text()).toBe('PIPE\t$&\t$1\n');
    expect(await (await post("SELECT 'a;b' /* ; */ FORMAT CSV; -- end ;")).text()).toBe('"a;b"\n');
  });

  test('answers with headers of ClickHouse', async () => {
    const response = await http('/?query=SELECT%201&query_id=my-query&default_format=JSONEachRow');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-clickhouse-query-id': 'my-query',
      'x-clickhouse-format': 'JSONEachRow',
      'x-clickhouse-timezone': 'UTC',
      'x-clickhouse-summary': expect.stringContaining('read_rows'),
    });
    expect(await response.text()).toBe('{"1":1}\n');
  });

  test('several statements, an empty one, files of this machine and client words are refused', async () => {
    for (const sql of ['SELECT 1; SELECT 2', 'SELECT 1; DROP TABLE x', '', '  -- nothing', 'exit', 'quit;']) {
      const response = await post(sql);
      expect([sql, response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([
        sql,
        400,
        '62',
      ]);
    }
    for (const sql of [
      "SELECT 1 INTO OUTFILE '/tmp/x'",
      "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV",
    ]) {
      expect([sql, (await post(sql)).status]).toEqual([sql, 501]);
    }
  });

  test('an insert whose data holds SQL and blank lines stays data', async () => {
    await client.command({ query: 'CREATE OR REPLACE TABLE lines (s String) ENGINE = Memory' });
    await post('INSERT INTO lines FORMAT TabSeparated', 'a\n\n; DROP TABLE lines\n\nSELECT 1\n');
    await post('', 'INSERT INTO lines FORMAT TabSeparated\nb\n\nc; d\n');
    await post("INSERT INTO lines VALUES ('e'), ('f;\n\ng')");
    await post('INSERT INTO lines VALUES', "('h'), (concat('i', 'j'));");
    expect(await (await post('SELECT s FROM lines FORMAT JSONCompactColumns')).json()).toEqual([
      ['a', '', '; DROP TABLE lines', '', 'SELECT 1', 'b', '', 'c; d', 'e', 'f;\n\ng', 'h', 'ij'],
    ]);
  });

  test('parameters reach INSERT, DDL and VALUES', async () => {
    await client.command({
      query: 'CREATE OR REPLACE TABLE {name:Identifier} (n Int32, s String) ENGINE = Memory',
      query_params: { name: 'by_parameter' },
    });
    await client.command({
      query: 'INSERT INTO by_parameter VALUES ({n:Int32}, {s:String})',
      query_params: { n: 5, s: "o'; DROP TABLE by_parameter; --" },
    });
    const rows = await client.query({ query: 'SELECT * FROM by_parameter', format: 'JSONEachRow' });
    expect(await rows.json()).toEqual([{ n: 5, s: "o'; DROP TABLE by_parameter; --" }]);
  });

  test('long parameters as a form', async () => {
    const result = await client.query({
      query: 'SELECT length({s:String}) AS n',
      query_params: { s: 'é'.repeat(100_000) },
      use_multipart_params: true,
      format: 'JSONEachRow',
    });
    expect(await result.json()).toEqual([{ n: 200_000 }]);
  });

  test('statements are bounded, with a clear refusal', async () => {
    const response = await http('/', { method: 'POST', body: `SELECT '${'x'.repeat(5 * 1024 * 1024)}'` });
    expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([413, '229']);
  });
});

describe('the client', () => {
  test('inserts arrays and streams of objects, queries them back in its own ways', async () => {
    await client.command({
      query: 'CREATE OR REPLACE TABLE objects (id UInt32, name String) ENGINE = Memory',
    });
    const first = await client.insert({
      table: 'objects',
      values: [{ id: 1, name: 'a' }],
      format: 'JSONEachRow',
    });
    expect(first.summary?.written_rows).toBe('1');
    await client.insert({
      table: 'objects',
      values: Readable.from([
        { id: 2, name: 'b' },
        { id: 3, name: 'c' },
      ]),
      format: 'JSONEachRow',
    });
    const json = await client.query({ query: 'SELECT * FROM objects ORDER BY id', format: 'JSON' });
    expect(await json.json()).toMatchObject({ rows: 3, data: [{ id: 1 }, { id: 2 }, { id: 3 }] });
    const seen: unknown[] = [];
    const rows = await client.query({ query: 'SELECT id FROM objects ORDER BY id', format: 'JSONEachRow' });
    for await (const batch of rows.stream()) seen.push(...batch.map((row) => row.json()));
    expect(seen).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  test('compresses both ways', async () => {
    const packed = newClient({
      url: engine.url,
      username: engine.user,
      password: engine.password,
      compression: { request: true, response: true },
    });
    await packed.command({ query: 'CREATE OR REPLACE TABLE packed (s String) ENGINE = Memory' });
    await packed.insert({ table: 'packed', values: [{ s: 'x'.repeat(100_000) }], format: 'JSONEachRow' });
    const rows = await packed.query({ query: 'SELECT s FROM packed', format: 'JSONEachRow' });
    expect((await rows.json<{ s: string }>())[0]?.s.length).toBe(100_000);
    await expect(packed.query({ query: 'SELECT nothing' })).rejects.toMatchObject({ code: '47' });
    await packed.close();
  });

  test('sees exceptions before and within a result', async () => {
    await expect(client.query({ query: 'SELECT * FROM nowhere' })).rejects.toMatchObject({
      code: '60',
      type: 'UNKNOWN_TABLE',
    });
    const rows = await client.query({
      query: 'SELECT number, throwIf(number = 3000000) FROM numbers(5000000)',
      format: 'JSONEachRow',
    });
    const read = async (): Promise<void> => {
      for await (const batch of rows.stream()) batch.length;
    };
    await expect(read()).rejects.toMatchObject({ code: '395' });
  });

  test('keeps settings and temporary tables in a session, and only there', async () => {
    const session = newClient({
      url: engine.url,
      username: engine.user,
      password: engine.password,
      session_id: 'one',
      max_open_connections: 1,
    });
    const value = async (from: ClickHouseClient, settings = {}): Promise<unknown> => {
      const result = await from.query({
        query: "SELECT toString(getSetting('max_block_size')) AS v",
        format: 'JSONEachRow',
        clickhouse_settings: settings,
      });
      return (await result.json<{ v: string }>())[0]?.v;
    };
    const usual = await value(client);
    await session.command({ query: 'CREATE TEMPORARY TABLE held (n UInt8)' });
    await session.insert({ table: 'held', values: [{ n: 7 }], format: 'JSONEachRow' });
    await session.command({ query: 'SET max_block_size = 777' });
    expect(await value(session)).toBe('777');
    expect(await value(session, { max_block_size: '888' })).toBe('888');
    expect(await value(session)).toBe('777');
    const held = await session.query({ query: 'SELECT n FROM held', format: 'JSONEachRow' });
    expect(await held.json()).toEqual([{ n: 7 }]);
    await expect(client.query({ query: 'SELECT n FROM held' })).rejects.toMatchObject({ code: '60' });
    await client.command({ query: 'SET max_block_size = 999' });
    await (await client.query({ query: 'SELECT 1 SETTINGS max_block_size = 555' })).text();
    for (let round = 0; round < 20; round += 1) expect(await value(client)).toBe(usual);
    await session.close();
  });
});

describe('bodies', () => {
  test.each(['gzip', 'deflate'])('compressed with %s', async (encoding) => {
    await client.command({ query: 'CREATE OR REPLACE TABLE encoded (s String) ENGINE = Memory' });
    const { deflateSync } = await import('node:zlib');
    const body = Buffer.from('a\nb\n');
    const packed = encoding === 'gzip' ? gzipSync(body) : deflateSync(body);
    const response = await post('INSERT INTO encoded FORMAT TSV', new Uint8Array(packed), {
      'content-encoding': encoding,
    });
    expect(response.status).toBe(200);
    expect(await (await post('SELECT count() FROM encoded')).text()).toBe('2\n');
  });

  test("what cannot be decoded is refused, ClickHouse's own compression by name", async () => {
    expect((await post('SELECT 1', 'x', { 'content-encoding': 'snappy' })).status).toBe(501);
    expect((await http('/?query=SELECT%201&compress=1')).status).toBe(501);
    expect((await http('/?query=SELECT%201&role=boss')).status).toBe(500);
    const broken = await post('INSERT INTO encoded FORMAT TSV', 'not gzip', { 'content-encoding': 'gzip' });
    expect(broken.status).toBeGreaterThanOrEqual(400);
  });

  test('results compressed on demand only', async () => {
    const plain = await http('/?query=SELECT%201', { headers: { 'accept-encoding': 'gzip' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
    const { request } = await import('node:http');
    const url = `${engine.url}/?enable_http_compression=1&query=${encodeURIComponent('SELECT number FROM numbers(100000)')}`;
    const packed = await new Promise<Buffer>((resolve, reject) => {
      request(url, { headers: { authorization: auth(), 'accept-encoding': 'gzip' } }, (response) => {
        expect(response.headers['content-encoding']).toBe('gzip');
        buffer(response).then(resolve, reject);
      })
        .once('error', reject)
        .end();
    });
    expect(gunzipSync(packed).toString().split('\n').length).toBe(100_001);
  });
});

describe('health and unknown paths', () => {
  test('/ping and /replicas_status need no account; other paths are not found', async () => {
    expect(await text((await fetch(`${engine.url}/ping`)).body!)).toBe('Ok.\n');
    expect(await text((await fetch(`${engine.url}/replicas_status`)).body!)).toBe('Ok.\n');
    expect((await fetch(`${engine.url}/play`)).status).toBe(404);
    expect((await fetch(`${engine.url}/`, { method: 'DELETE' })).status).toBe(404);
  });
});
