import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HubError } from '#kernel';
import { SHOP } from './fixtures/shop.ts';
import type { Records, Values } from './index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from './testing.ts';

const WRITERS = 50;
let db: TestRuntime;
let manager: Records;
let clerk: Records;
let owner: string;

beforeAll(async () => {
  db = await testRuntime(appsOf(SHOP), { connections: 20 });
  manager = db.runtime.as(someone('max@x.example', ['manager']), { surface: 'web' });
  clerk = db.runtime.as(someone('cleo@x.example', ['clerk']), { surface: 'web' });
  owner = (await manager.create('shop.person', { name: 'ann', email: 'ann@x.example' })).id;
});
afterAll(() => db?.[Symbol.asyncDispose]());

const together = <T>(work: (writer: number) => Promise<T>): Promise<PromiseSettledResult<T>[]> =>
  Promise.allSettled(Array.from({ length: WRITERS }, (_, writer) => work(writer)));
const codes = (results: readonly PromiseSettledResult<unknown>[]): string[] =>
  results.flatMap((result) =>
    result.status === 'rejected' ? [(result.reason as HubError).code ?? String(result.reason)] : [],
  );
const value = async (sql: string): Promise<string> => (await db.owner.query(sql)).rows[0].value;

test('a transition happens once, an idempotency key acts once', async () => {
  const item = (await manager.create('shop.item', { name: 'one', stock: 100 })).id;
  const order = await manager.create('shop.order', { owner, lines: [{ item, price: '1' }] });
  await manager.transition('shop.order', order.id, 'place');
  const sent = await together(() => clerk.transition('shop.order', order.id, 'send', { carrier: 'x' }));
  expect(codes(sent)).toEqual(Array.from({ length: WRITERS - 1 }, () => 'TRANSITION_REFUSED'));
  expect((await manager.get('shop.item', item))?.stock).toBe(99);
  const made = await together(() => manager.create('shop.item', { name: 'keyed' }, { idempotencyKey: 'k' }));
  expect(codes(made).filter((code) => code !== 'IDEMPOTENCY_BUSY')).toEqual([]);
  expect(await value("SELECT count(*) AS value FROM shop.item WHERE name = 'keyed'")).toBe('1');
});

test('stock is the sum of its moves and never below zero; the ledger balances', async () => {
  const item = (await manager.create('shop.item', { name: 'scarce', stock: 60 })).id;
  const orders: string[] = [];
  for (let at = 0; at < WRITERS; at += 1) {
    const order = await manager.create('shop.order', { owner, lines: [{ item, price: '1', quantity: 2 }] });
    await manager.transition('shop.order', order.id, 'place');
    orders.push(order.id);
  }
  const sent = await together((at) => clerk.transition('shop.order', orders[at]!, 'send', { carrier: 'x' }));
  expect(codes(sent)).toEqual(Array.from({ length: 20 }, () => 'RULE_BROKEN'));
  expect(await value(`SELECT stock AS value FROM shop.item WHERE id = ${item}`)).toBe('0');
  expect(await value(`SELECT sum(quantity) AS value FROM shop.move WHERE item_id = ${item}`)).toBe('-60');

  const bookings = (amount: number): Values[] => [
    { account: 'a', debit: String(amount) },
    { account: 'b', credit: String(amount) },
  ];
  const entries = await Promise.all(
    Array.from({ length: 5 }, () => manager.create('shop.entry', { text: 'x', bookings: bookings(1) })),
  );
  for (const entry of entries) await manager.transition('shop.entry', entry.id, 'post');
  const booked = await together(async (writer) => {
    const entry = entries[writer % entries.length]!;
    // Half of them write one side only: that must never be seen committed.
    if (writer % 2 === 0) await manager.create('shop.booking', { entry: entry.id, account: 'c', debit: '3' });
    else await manager.update('shop.entry', entry.id, { bookings: bookings(writer) });
  });
  expect(new Set(codes(booked))).toEqual(new Set(['RULE_BROKEN']));
  const off = `SELECT count(*) AS value FROM (SELECT entry_id FROM shop.booking GROUP BY entry_id HAVING sum(debit) <> sum(credit)) off`;
  expect(await value(off)).toBe('0');
});

test('gapless numbers have neither duplicate nor gap, with half of the writers rolled back', async () => {
  const made = await together(async (writer) => {
    for (let at = 0; at < 4; at += 1)
      await manager
        .bulk([
          { op: 'create', entity: 'shop.order', values: { owner } },
          ...(writer % 2 === 0
            ? [{ op: 'create' as const, entity: 'shop.item', values: { name: 'x', stock: -1 } }]
            : []),
        ])
        .catch((error: unknown) => {
          if (!(error instanceof HubError && error.code === 'RULE_BROKEN')) throw error;
        });
  });
  expect(codes(made)).toEqual([]);
  await expectNoGap();
});

const expectNoGap = async (): Promise<void> => {
  const { rows } = await db.owner.query(
    `SELECT count(*)::int AS rows, count(DISTINCT number)::int AS numbers, max(substr(number, 3)::int) AS last,
       (SELECT last_value::int FROM shop.numbering_series WHERE series = 'order') AS taken FROM shop."order"`,
  );
  expect(rows[0].numbers).toBe(rows[0].rows);
  expect(rows[0].last).toBe(rows[0].rows);
  expect(rows[0].taken).toBe(rows[0].rows);
};

test('processes killed while they write leave no gap, and no key without its record', async () => {
  const writer = fileURLToPath(new URL('./fixtures/writer.ts', import.meta.url));
  for (let round = 0; round < 5; round += 1) {
    const child = spawn(process.execPath, [writer, db.url, owner], { stdio: ['ignore', 'pipe', 'inherit'] });
    let made = 0;
    for await (const text of child.stdout) {
      made += String(text).split('made').length - 1;
      if (made > 40 + round * 7) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await db.owner.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bac apps' AND state LIKE 'idle in transaction%'",
  );
  await expectNoGap();
  const keys = await value(
    "SELECT count(*) AS value FROM bac.idempotency_keys WHERE key ~ '^\\d+ \\d \\d+$'",
  );
  const records = await value('SELECT count(*) AS value FROM shop."order" WHERE note ~ \'^\\d+ \\d \\d+$\'');
  const notes = await value(
    'SELECT count(DISTINCT note) AS value FROM shop."order" WHERE note ~ \'^\\d+ \\d \\d+$\'',
  );
  expect(records).toBe(keys);
  expect(notes).toBe(keys);
});
