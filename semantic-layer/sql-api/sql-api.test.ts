import { createConnection } from 'node:net';
import { DatabaseError } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PASSWORD, PRINCIPAL, type TestSqlApi, testSqlApi } from './testing/index.ts';
import { CHARTS } from './testing/recorded.ts';

let server: TestSqlApi;
beforeAll(async () => {
  server = await testSqlApi();
});
afterAll(() => server[Symbol.asyncDispose]());

const rows = async (sql: string, values: unknown[] = []): Promise<unknown[][]> => {
  await using client = await server.client();
  return (await client.query({ text: sql, values, rowMode: 'array' })).rows;
};
/** The same question to the tables themselves. */
const truth = async (sql: string): Promise<unknown[][]> =>
  (await server.layer.connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
const refusal = async (sql: string, values: unknown[] = []): Promise<DatabaseError> => {
  const error = await rows(sql, values).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DatabaseError);
  return error as DatabaseError;
};
const numbers = (table: unknown[][]): unknown[][] =>
  table.map((row) =>
    row.map((cell) => (typeof cell === 'string' && /^-?\d+(\.\d+)?$/.test(cell) ? Number(cell) : cell)),
  );

test('measures grouped by dimensions are what the warehouse says, grouped by the warehouse', async () => {
  const before = server.layer.queries.length;
  const found = await rows(
    'SELECT status, MEASURE(revenue), COUNT(*), SUM(revenue) / COUNT(*) > 100 FROM orders GROUP BY status ORDER BY status',
  );
  expect(numbers(found)).toEqual(
    numbers(
      await truth(
        'SELECT status, sum(amount), count(*), sum(amount) / count(*) > 100 FROM data.orders GROUP BY 1 ORDER BY 1',
      ),
    ),
  );
  expect(server.layer.queries.slice(before)).toMatchObject([
    { measures: ['orders.revenue', 'orders.count'], dimensions: ['orders.status'] },
  ]);
});

test('conditions go to the semantic layer where it decides them as SQL does', async () => {
  const before = server.layer.queries.length;
  const found = await rows(
    `SELECT date_trunc('month', created_at) AS month, count(*), measure(customers)
     FROM orders WHERE created_at >= '2024-01-01' AND created_at::date < '2024-04-02' AND region <> 'north' AND status IN ('paid', 'new')
     GROUP BY 1 ORDER BY 1`,
  );
  const expected = await truth(
    `SELECT CAST(date_trunc('month', created_at) AS VARCHAR), count(*), count(DISTINCT customer_id) FROM data.orders
     WHERE created_at >= '2024-01-01' AND created_at < '2024-04-02' AND region <> 'north' AND status IN ('paid', 'new') GROUP BY 1 ORDER BY 1`,
  );
  expect(found.map(([month, ...rest]) => [(month as Date).getMonth(), ...rest.map(Number)])).toEqual(
    expected.map(([month, ...rest]) => [new Date(String(month)).getMonth(), ...rest.map(Number)]),
  );
  expect(server.layer.queries.slice(before)[0]!.filters).toHaveLength(4);
  expect(server.layer.queries.slice(before)[0]!.dimensions).toEqual([]);
});

test('CTEs, joins, windows, CASE and sub-queries run over what was loaded', async () => {
  const found = await rows(
    `WITH by_city AS (SELECT city, MEASURE(revenue) AS revenue FROM sales GROUP BY city)
     SELECT city, rank() OVER (ORDER BY revenue DESC), CASE WHEN revenue > (SELECT avg(revenue) FROM by_city) THEN 'above' ELSE 'below' END
     FROM by_city WHERE city IS NOT NULL ORDER BY 2`,
  );
  const expected = await truth(
    `WITH by_city AS (SELECT city, sum(amount) AS revenue FROM data.orders o LEFT JOIN data.customers c ON c.id = o.customer_id GROUP BY city)
     SELECT city, rank() OVER (ORDER BY revenue DESC), CASE WHEN revenue > (SELECT avg(revenue) FROM by_city) THEN 'above' ELSE 'below' END
     FROM by_city WHERE city IS NOT NULL ORDER BY 2`,
  );
  expect(numbers(found)).toEqual(numbers(expected));
});

test.each([
  [
    'a measure that does not add up',
    "SELECT CASE WHEN amount > 9 THEN 'a' END, MEASURE(unit_price) FROM orders GROUP BY 1",
    '0A000',
    /GROUP BY 1/,
  ],
  ['a row-level view measure', 'SELECT revenue FROM sales', '0A000', /MEASURE\(revenue\)/],
  ['the wrong aggregate', 'SELECT AVG(revenue) FROM orders', '0A000', /MEASURE\(revenue\)/],
  ['an unknown column', 'SELECT statsu FROM orders', '42703', /"status"/],
  ['an unknown table', 'SELECT 1 FROM order', '42601', null],
  ['a missing table', 'SELECT 1 FROM orderz', '42P01', /"orders"/],
  ['a write', "UPDATE orders SET status = 'x'", '25006', /apps/],
  [
    'a column outside GROUP BY',
    'SELECT region, status, MEASURE(count) FROM orders GROUP BY status',
    '42803',
    /GROUP BY/,
  ],
  ['a division by zero', 'SELECT id / 0 FROM orders', '22012', null],
  ['a function of the file system', "SELECT * FROM pg_read_file('/etc/passwd')", '42501', null],
  [
    'a sum over multiplied rows',
    "SELECT SUM(CASE WHEN city = 'Lyon' THEN 1 ELSE 0 END) FROM sales",
    '0A000',
    /MEASURE/,
  ],
  [
    'a measure whose parts overlap',
    "SELECT CASE status WHEN 'new' THEN 1 END, MEASURE(count) FROM accounts GROUP BY 1",
    '0A000',
    /GROUP BY/,
  ],
])('%s is refused with reason and way out', async (_what, sql, state, hint) => {
  const error = await refusal(sql);
  expect([error.code, error.message]).toEqual([state, error.message]);
  if (hint) expect(error.hint).toMatch(hint);
});

test('parameters, in the text and the binary form', async () => {
  await using client = await server.client();
  const text =
    'SELECT count(*), sum(revenue) FROM orders WHERE status = $1 AND amount > $2 AND created_at >= $3';
  const values = ['paid', 10.5, new Date(2024, 1, 1)];
  const expected = await truth(
    "SELECT count(*), sum(amount) FROM data.orders WHERE status = 'paid' AND amount > 10.5 AND created_at >= '2024-02-01'",
  );
  for (const binary of [false, true]) {
    const { rows: found } = await client.query({ text, values, rowMode: 'array', name: `p${binary}` });
    expect(numbers(found)).toEqual(numbers(expected));
  }
});

test('cursors and portals hand out rows in parts', async () => {
  await using client = await server.client();
  await client.query('BEGIN');
  await client.query('DECLARE c NO SCROLL CURSOR FOR SELECT id FROM orders ORDER BY id');
  expect((await client.query('FETCH 3 FROM c')).rows.map((row) => Number(row.id))).toEqual([1, 2, 3]);
  expect((await client.query('MOVE 2 FROM c')).command).toBe('MOVE');
  expect((await client.query('FETCH FORWARD 2 FROM c')).rows.map((row) => Number(row.id))).toEqual([6, 7]);
  expect((await client.query('FETCH ALL FROM c')).rowCount).toBe(293);
  await client.query('COMMIT');
  await expect(client.query('FETCH 1 FROM c')).rejects.toMatchObject({ code: '34000' });
});

test('a failed statement fails its transaction, as clients expect', async () => {
  await using client = await server.client();
  await client.query('BEGIN');
  await expect(client.query('SELECT nothing FROM orders')).rejects.toMatchObject({ code: '42703' });
  await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
  await client.query('ROLLBACK');
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('freshness comes as a notice and by SHOW, unless turned off', async () => {
  await using client = await server.client();
  const notices: string[] = [];
  client.on('notice', (notice) => void notices.push(notice.message ?? ''));
  await client.query('SELECT MEASURE(count) FROM orders');
  expect(notices).toEqual(['data complete up to 2026-01-02T03:04:05.000Z, tables data.orders']);
  await client.query('SET client_min_messages TO warning');
  await client.query('SELECT MEASURE(count) FROM orders');
  expect(notices).toHaveLength(1);
  expect((await client.query('SHOW bac.freshness')).rows).toEqual([{ 'bac.freshness': notices[0] }]);
});

test('a wrong key does not get in', async () => {
  await expect(
    server.client({ connectionString: server.url.replace(PASSWORD, 'wrong') }),
  ).rejects.toMatchObject({ code: '28P01' });
});

test('more rows than allowed are an error, never a part of them', async () => {
  await using small = await testSqlApi({ maxRows: 100, rows: 300 });
  await using client = await small.client();
  await expect(client.query('SELECT id FROM orders')).rejects.toMatchObject({ code: '54000' });
  expect((await client.query('SELECT id FROM orders LIMIT 10')).rowCount).toBe(10);
  expect((await client.query('SELECT status, MEASURE(count) FROM orders GROUP BY 1')).rowCount).toBe(5);
});

test('a key that ends while a connection lives ends it with the next statement', async () => {
  let valid = true;
  await using ending = await testSqlApi({ authenticate: async () => (valid ? PRINCIPAL : null), rows: 5 });
  const client = await ending.client();
  client.on('error', () => undefined);
  await client.query('SELECT 1');
  valid = false;
  await expect(client.query('SELECT MEASURE(count) FROM orders')).rejects.toMatchObject({ code: '57P01' });
});

test('a request to cancel ends the statement, and the connection goes on', async () => {
  const started = Promise.withResolvers<void>();
  await using slow = await testSqlApi({ rows: 5 });
  const { load } = slow.layer;
  Object.assign(slow.layer, {
    load: async (...args: Parameters<typeof load>) => {
      if (args[1].measures?.includes('orders.units')) {
        started.resolve();
        await new Promise<void>((_, reject) =>
          args[2]!.signal!.addEventListener('abort', () => reject(new Error('aborted'))),
        );
      }
      return load(...args);
    },
  });
  await using client = await slow.client();
  const waiting = client.query('SELECT MEASURE(units) FROM orders').catch((error: unknown) => error);
  await started.promise;
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const request = Buffer.alloc(16);
  for (const [at, value] of [16, 80877102, processID, secretKey].entries())
    request.writeInt32BE(value, at * 4);
  createConnection(slow.api.port, '127.0.0.1').end(request);
  expect(await waiting).toMatchObject({ code: '57014' });
  expect((await client.query('SELECT MEASURE(count) AS n FROM orders')).rows).toEqual([{ n: '5' }]);
});

test('broken messages end the connection, and nothing else', async () => {
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0, 0, 0, 8, 0, 9, 0, 0]),
    Buffer.alloc(4),
  ]) {
    const socket = createConnection(server.api.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(bytes);
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  }
  expect(await rows('SELECT 1')).toEqual([[1]]);
});

test.each(CHARTS)('$tool, as it writes it: $what', async ({ sql }) => {
  expect((await rows(sql)).length).toBeGreaterThan(0);
});

test('a sub-query that only picks columns is the view itself', async () => {
  const found = await rows(
    'SELECT town, AVG(mean) FROM (SELECT city AS town, average AS mean FROM (SELECT * FROM sales) AS s) AS t GROUP BY 1 ORDER BY 1',
  );
  const expected = await truth(
    'SELECT city, avg(amount) FROM data.orders o LEFT JOIN data.customers c ON c.id = o.customer_id GROUP BY 1 ORDER BY 1',
  );
  expect(numbers(found)).toEqual(numbers(expected));
});
