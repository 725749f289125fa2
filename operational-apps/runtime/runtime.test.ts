import { getHeapSpaceStatistics } from 'node:v8';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoApps } from '../demo/index.ts';
import type { Records } from './index.ts';
import { someone, type TestRuntime, testRuntime } from './testing.ts';

let db: TestRuntime;
let records: Records;

beforeAll(async () => {
  db = await testRuntime(await demoApps());
  records = db.runtime.as(someone('ann@one.example', ['owner']), { surface: 'web' });
});
afterAll(() => db?.[Symbol.asyncDispose]());

test('create, get, list, update, transition over the demo apps', async () => {
  const account = await records.create('crm.account', {
    name: 'Ann',
    segment: 'consumer',
    region: 'DE',
    currency: 'EUR',
    acquired_through: 'organic',
    tags: ['vip'],
    billing: { street: 'a', city: 'b', region: null, postal_code: '1', country: 'DE' },
  });
  expect(account).toMatchObject({
    name: 'Ann',
    number: 'A-0000001',
    status: 'prospect',
    version: 1,
    tags: ['vip'],
    kind: 'person',
    billing: { city: 'b' },
    created_by: 'ann@one.example',
  });
  const again = await records.get('crm.account', account.id);
  expect(again).toEqual(account);
  const changed = await records.update('crm.account', account.id, { name: 'Ann B.' }, { version: 1 });
  expect(changed).toMatchObject({ name: 'Ann B.', version: 2 });
  await expect(
    records.update('crm.account', account.id, { name: 'x' }, { version: 1 }),
  ).rejects.toMatchObject({ code: 'VERSION_STALE' });
  const active = await records.transition('crm.account', account.id, 'activate');
  expect(active).toMatchObject({ status: 'active' });
  await expect(records.transition('crm.account', account.id, 'activate')).rejects.toMatchObject({
    code: 'TRANSITION_REFUSED',
  });
  const page = await records.list('crm.account', {
    filter: { name: { contains: 'ann' } },
    count: true,
    sort: ['-name'],
  });
  expect(page).toMatchObject({ rows: [{ record: { id: account.id } }], total: 1, hasMore: false });
  expect(await records.timeline.list('crm.account', account.id)).toMatchObject([
    { kind: 'transition', name: 'activate', changes: [{ field: 'status', old: 'prospect', new: 'active' }] },
    { kind: 'updated', changes: [{ field: 'name', old: 'Ann', new: 'Ann B.' }] },
    { kind: 'created', actor: 'ann@one.example' },
  ]);
  await records.delete('crm.account', account.id);
  expect(await records.get('crm.account', account.id)).toBeNull();
});

test('what is made for a call is gone with it, and does not wait for the old heap to be collected', () => {
  const oldBytes = (): number =>
    getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')!.space_used_size;
  const before = oldBytes();
  let calls = 0;
  // Some hundred megabytes: the young heap is collected many times.
  for (let n = 0; n < 100_000; n += 1)
    if (db.runtime.as(records.principal, { surface: 'rest', requestId: `${n}` }).tenant !== '') calls += 1;
  expect(calls).toBe(100_000);
  expect((oldBytes() - before) / 1024 / 1024).toBeLessThan(8);
});
