import { expect, test } from 'vitest';
import { agree } from './testing/agree.ts';
import { testSqlApi } from './testing/index.ts';

test('a thousand generated statements agree with DuckDB over all rows or are refused', async () => {
  await using server = await testSqlApi();
  const { answered, refused, wrong } = await agree(server, 1, 1000);
  expect(wrong).toEqual([]);
  expect(answered + refused).toBe(1000);
  // Refusing everything would be right, too, and of no use.
  expect(answered).toBeGreaterThan(700);
}, 300_000);
