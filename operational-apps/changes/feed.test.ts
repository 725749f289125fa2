import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { type TestLog, testLog } from '#tests/log';
import { type ChangeFeed, createChangeFeed, MAX_WAITING, type RecordChange } from './feed.ts';

let holder: TestLog;
let feed: ChangeFeed;

beforeAll(async () => {
  holder = await testLog();
  for (const topic of ['shop.crm.account', 'shop.crm.lead', 'other.crm.account'])
    await holder.log.ensureTopic(topic, { partitions: 2 });
  feed = createChangeFeed({ log: holder.log, source: 'shop', logger: silentLogger() });
});
afterAll(async () => {
  await feed.close();
  await holder.stop();
});

const event = (id: string, op: string, tenant: string | null = 'a') => ({
  key: Buffer.from(`{"id":${id}}`),
  value: Buffer.from(
    `{"before":null,"after":${op === 'd' ? 'null' : `{"id":${id},"tenant_id":${JSON.stringify(tenant)}}`},"op":"${op}","ts_ms":1}`,
  ),
});
const append = (topic: string, ...records: { key: Buffer | null; value: Buffer | null }[]) =>
  holder.log.append([{ topic, partition: 0, records }]);

/** Subscribes, and waits until the subscription is known to be fed. */
async function subscribed(entities: string[], marker: string) {
  const abort = new AbortController();
  const seen: RecordChange[] = [];
  let failure: unknown;
  const done = (async () => {
    for await (const change of feed.subscribe(entities, abort.signal)) seen.push(change);
  })().catch((error: unknown) => {
    failure = error;
  });
  const entity = entities[0]!;
  await eventually(async () => {
    await append(`shop.${entity}`, event(marker, 'u'));
    return seen.length > 0 || undefined;
  }, 10_000);
  return { abort, seen, done, failure: () => failure, real: () => seen.filter((one) => one.id !== marker) };
}

test('tells which rows of the entities asked for changed, in order, with all their digits', async () => {
  const one = await subscribed(['crm.account'], '1');
  await append('shop.crm.lead', event('5', 'c'));
  await append('other.crm.account', event('6', 'c'));
  await append(
    'shop.crm.account',
    event('9223372036854775807', 'c'),
    event('9223372036854775807', 'u'),
    { key: Buffer.from('{"id":7}'), value: null },
    { key: Buffer.from('{"id":7}'), value: Buffer.from('not json') },
    event('7', 'd'),
  );
  await eventually(async () => (one.real().length >= 3 ? true : undefined), 10_000);
  expect(one.real()).toEqual([
    { entity: 'crm.account', id: '9223372036854775807', operation: 'created', tenant: 'a' },
    { entity: 'crm.account', id: '9223372036854775807', operation: 'updated', tenant: 'a' },
    { entity: 'crm.account', id: '7', operation: 'deleted', tenant: null },
  ]);
  one.abort.abort();
  await one.done;
  expect(feed.size).toBe(0);
});

test('reads nothing while nobody listens, and begins at the present again', async () => {
  await append('shop.crm.account', event('50', 'c'));
  const later = await subscribed(['crm.account'], '2');
  expect(later.real()).toEqual([]);
  later.abort.abort();
  await later.done;
});

test('a subscriber that does not keep up is ended, not fed gaps; the others go on', async () => {
  const abort = new AbortController();
  const slow = feed.subscribe(['crm.lead'], abort.signal)[Symbol.asyncIterator]();
  const first = slow.next();
  const quick = await subscribed(['crm.lead'], '3');
  await first;
  for (let sent = 0; sent <= MAX_WAITING + 100; sent += 1000)
    await append(
      'shop.crm.lead',
      ...Array.from({ length: 1000 }, (_, n) => event(String(1000 + sent + n), 'c')),
    );
  await eventually(async () => (quick.real().length > MAX_WAITING + 100 ? true : undefined), 20_000);
  await expect(
    (async () => {
      while (!(await slow.next()).done);
    })(),
  ).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW' });
  quick.abort.abort();
  await quick.done;
  expect(quick.failure()).toBeUndefined();
});
