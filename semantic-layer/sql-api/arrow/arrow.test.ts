import * as arrow from 'apache-arrow';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PRINCIPAL, type TestSqlApi, testSqlApi } from '../testing/index.ts';

let server: TestSqlApi;
beforeAll(async () => {
  server = await testSqlApi({ rows: 5000 });
});
afterAll(() => server[Symbol.asyncDispose]());

const never = new AbortController().signal;
async function asked(sql: string, parameters: (string | number | boolean | null)[] = []) {
  const parts: Buffer[] = [];
  for await (const part of await server.api.arrow(PRINCIPAL, sql, parameters, never)) parts.push(part);
  return { table: arrow.tableFromIPC(Buffer.concat(parts)), parts };
}

/** A value as PostgreSQL writes it. */
function text(value: unknown, type: arrow.DataType): string | null {
  if (value === null) return null;
  if (arrow.DataType.isBool(type)) return value ? 't' : 'f';
  if (arrow.DataType.isDecimal(type)) {
    const words = new BigInt64Array((value as Uint32Array).slice().buffer);
    const whole = BigInt.asIntN(128, (words[1]! << 64n) | BigInt.asUintN(64, words[0]!));
    const digits = String(whole < 0n ? -whole : whole).padStart(type.scale + 1, '0');
    const [left, right] = [
      digits.slice(0, digits.length - type.scale),
      digits.slice(digits.length - type.scale),
    ];
    const plain = type.scale === 0 ? left : `${left}.${right}`.replace(/\.?0+$/, '');
    return whole < 0n ? `-${plain}` : plain;
  }
  if (arrow.DataType.isDate(type)) return new Date(Number(value)).toISOString().slice(0, 10);
  if (arrow.DataType.isTimestamp(type)) {
    const moment = new Date(Number(value)).toISOString().replace('T', ' ').replace('Z', '');
    const plain = moment.replace(/\.?0+$/, '');
    return `${plain.length < 19 ? moment.slice(0, 19) : plain}${type.timezone ? '+00' : ''}`;
  }
  return String(value);
}

test.each([
  'SELECT * FROM orders ORDER BY id',
  'SELECT status, MEASURE(revenue), COUNT(*), SUM(revenue) / COUNT(*), SUM(revenue) / COUNT(*) > 100 FROM orders GROUP BY status ORDER BY status',
  "SELECT date_trunc('month', created_at), created_at::date, max(amount), count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2",
  "SELECT id, nullif(status, 'new'), nullif(id, 3), nullif(amount, amount), -amount, id % 2 = 0, 1.5::float8 / id FROM orders ORDER BY id",
  'SELECT sum(id), avg(amount), min(created_at), max(created_at) FROM orders',
  'SELECT id FROM orders WHERE id < 0',
  "SELECT 1, 'x', NULL, true, 1.25, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789', 9007199254740993",
])('the same rows as over the wire: %s', async (sql) => {
  await using client = await server.client();
  const plain = { getTypeParser: () => (value: string) => value };
  const { rows, fields } = await client.query({ text: sql, rowMode: 'array', types: plain as never });
  const { table } = await asked(sql);
  const names = table.schema.fields.map(({ name }) => name);
  expect(names.map((name) => name.replace(/_\d$/, ''))).toEqual(fields.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  const columns = table.schema.fields.map(({ type }, at) =>
    Array.from({ length: table.numRows }, (_, row) => text(table.getChildAt(at)!.get(row), type)),
  );
  const found = Array.from({ length: table.numRows }, (_, row) => columns.map((column) => column[row]));
  expect(found).toEqual(rows);
});

test('the schema tells how fresh the answer is', async () => {
  const { table } = await asked('SELECT count(*) FROM orders');
  expect(Object.fromEntries(table.schema.metadata)).toMatchObject({
    'bac.cached': expect.stringMatching(/^(true|false)$/),
    'bac.tables': expect.stringContaining('orders'),
  });
});

test('values of parameters, batches as the engine makes them, and an early end that frees the statement', async () => {
  const { table, parts } = await asked('SELECT id FROM orders WHERE status = $1 AND id > $2', ['paid', 10]);
  const counted = await asked("SELECT count(*) FROM orders WHERE status = 'paid' AND id > 10");
  expect(BigInt(table.numRows)).toBe(
    BigInt(text(counted.table.getChildAt(0)!.get(0), counted.table.schema.fields[0]!.type)!),
  );
  expect(parts.length).toBeGreaterThan(1);
  const stream = await server.api.arrow(PRINCIPAL, 'SELECT a.id FROM orders a, orders b', [], never);
  await stream.next();
  await stream.return(undefined);
  const abort = new AbortController();
  const ended = await server.api.arrow(PRINCIPAL, 'SELECT a.id FROM orders a, orders b', [], abort.signal);
  await ended.next();
  abort.abort();
  await expect(
    (async () => {
      for await (const _ of ended);
    })(),
  ).rejects.toThrow('cancel');
});

test.each([
  ['SELECT statsu FROM orders', 'QUERY_INVALID', /status/],
  ['SELECT 1; SELECT 2', 'QUERY_INVALID', /SELECT/],
  ["UPDATE orders SET status = 'x'", 'QUERY_INVALID', /SELECT/],
  ['SELECT relname FROM pg_class', 'QUERY_INVALID', /meta/],
  ['SELECT FROM WHERE', 'QUERY_INVALID', /./],
  ['SELECT id / 0 FROM orders', 'QUERY_INVALID', /./],
  ["SELECT * FROM pg_read_file('/etc/passwd')", 'QUERY_INVALID', /./],
])('%s is refused before the first byte', async (sql, code, next) => {
  await expect(asked(sql)).rejects.toMatchObject({ code, next: expect.stringMatching(next) });
});
