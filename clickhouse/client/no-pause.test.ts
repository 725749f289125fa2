import { afterEach, expect, test, vi } from 'vitest';
import { testClickHouse } from '#tests/clickhouse';

afterEach(() => {
  vi.restoreAllMocks();
});

test('no statement waits for a timer before it is sent', async () => {
  await using engine = await testClickHouse();
  const { warehouse } = engine;
  const timers = vi.spyOn(globalThis, 'setTimeout');
  for (let times = 0; times < 3; times += 1) {
    expect(await warehouse.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    for await (const chunk of await warehouse.stream('SELECT 1', 'CSV')) expect(String(chunk)).toBe('1\n');
    await warehouse.command('SELECT 1');
  }
  expect(timers.mock.calls.filter(([, ms]) => ms === 0)).toEqual([]);
});
