import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHOP } from '../fixtures/shop.ts';
import type { Records } from '../index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from '../testing.ts';
import { exportCsv, importCsv } from './transfer.ts';

let db: TestRuntime;
let manager: Records;
beforeAll(async () => {
  db = await testRuntime(appsOf(SHOP));
  manager = db.runtime.as(someone('max@x.example', ['manager']), { surface: 'import' });
});
afterAll(() => db?.[Symbol.asyncDispose]());

async function* pieces(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  // In the middle of lines, quotes and letters.
  for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
}
const load = (text: string, options = {}) =>
  importCsv(manager, db.runtime.entity('shop.item'), pieces(text), options);

test('rows are made and changed by a unique field; what is wrong is told by line and column', async () => {
  const text =
    'name,sku,Price,tags\r\n"a ""b"",\nc",A-1,1.50,new;old\r\n,A-2,2,\r\nd,nope,3,\r\n\'=x,A-3,,\r\n';
  const tried = await load(text, { dryRun: true });
  const errors = [
    { line: 4, column: 'name', code: 'VALUE_REQUIRED' },
    { line: 5, column: 'sku', code: 'VALUE_INVALID' },
  ];
  expect(tried).toMatchObject({ created: 2, updated: 0, failed: 2, errors });
  expect((await manager.list('shop.item')).rows).toEqual([]);
  expect(await load(text)).toMatchObject({ created: 2, failed: 2 });
  const again = await load('sku;name;stock\nA-1;é;5\nA-4;new;0\n', { by: 'sku' });
  expect(again).toEqual({ created: 1, updated: 1, failed: 0, errors: [] });
  const { rows } = await manager.list('shop.item', { sort: ['sku'] });
  expect(
    rows.map(({ record }) => [record.sku, record.name, record.stock, record.tags, record.price]),
  ).toEqual([
    ['A-1', 'é', 5, ['new', 'old'], '1.50'],
    ['A-3', '=x', 0, null, '1.00'],
    ['A-4', 'new', 0, null, '1.00'],
  ]);
});

test('an export holds what may be seen, and no formula', async () => {
  let text = '';
  for await (const part of exportCsv(manager, db.runtime.entity('shop.item'), { sort: ['sku'] }))
    text += part;
  const [head, ...lines] = text.trimEnd().split('\r\n');
  expect(head).toContain('name,sku,price,stock,tags');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toContain("'=x,A-3,1.00,0,");
  const clerk = db.runtime.as(someone('cleo', ['clerk']), { surface: 'import' });
  await expect(async () => {
    for await (const part of exportCsv(clerk, db.runtime.entity('shop.item'))) text += part;
  }).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  await expect(importCsv(clerk, db.runtime.entity('shop.item'), pieces('name\nx\n'))).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  });
});
