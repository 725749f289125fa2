import { afterAll, beforeAll, expect, test } from 'vitest';
import { SHOP } from './fixtures/shop.ts';
import type { Records, Values } from './index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from './testing.ts';

let db: TestRuntime;
let manager: Records;
let ann: Records;
let clerk: Records;
const who: Record<string, string> = {};

beforeAll(async () => {
  db = await testRuntime(appsOf(SHOP));
  const as = (user: string, role: string): Records =>
    db.runtime.as(someone(user, [role]), { surface: 'web' });
  manager = as('max@x.example', 'manager');
  ann = as('ann@x.example', 'seller');
  clerk = as('cleo@x.example', 'clerk');
  for (const name of ['ann', 'bob']) {
    const values = { name, email: `${name}@x.example`, phone: '123', salary: '10' };
    who[name] = (await manager.create('shop.person', values)).id;
  }
});
afterAll(() => db?.[Symbol.asyncDispose]());

const item = async (stock: number): Promise<string> =>
  (await manager.create('shop.item', { name: 'thing', stock })).id;
const refused = (code: string, path?: string, message?: string): object => ({
  code,
  ...(path === undefined ? {} : { details: { path } }),
  ...(message === undefined ? {} : { message }),
});

test('an order: lines make totals, sending it moves the stock, tells the owner and the hook', async () => {
  const thing = await item(10);
  const order = await ann.create('shop.order', {
    owner: who.ann!,
    lines: [
      { item: thing, quantity: 2, price: '2.50' },
      { item: thing, price: '1' },
    ],
  });
  expect(order).toMatchObject({
    number: 'O-00001',
    status: 'open',
    total: '6.00',
    payable: '6.00',
    version: 1,
    lines: [
      { net: '5.00', quantity: 2, position: 1 },
      { net: '1.00', quantity: 1, position: 2 },
    ],
  });
  const [, second] = order.lines as { id: string }[];
  const lines: Values[] = [
    { id: second!.id, quantity: 3 },
    { item: thing, price: '7', quantity: 1 },
  ];
  const changed = await ann.update('shop.order', order.id, { lines });
  expect(changed).toMatchObject({
    total: '10.00',
    version: 2,
    lines: [
      { id: second!.id, position: 1, quantity: 3 },
      { position: 2, price: '7.00' },
    ],
  });
  const send = (records: Records, input?: Values) =>
    records.transition('shop.order', order.id, 'send', input);
  await expect(send(clerk, { carrier: 'x' })).rejects.toMatchObject(refused('TRANSITION_REFUSED'));
  await ann.transition('shop.order', order.id, 'place');
  await expect(ann.update('shop.order', order.id, { lines: [] })).rejects.toMatchObject(
    refused('RECORD_SUBMITTED', 'lines'),
  );
  await expect(ann.delete('shop.order', order.id)).rejects.toMatchObject(refused('RECORD_SUBMITTED'));
  expect(await ann.update('shop.order', order.id, { note: 'soon' })).toMatchObject({ note: 'soon' });
  await expect(send(ann, { carrier: 'x' })).rejects.toMatchObject(refused('PERMISSION_DENIED'));
  await expect(send(clerk)).rejects.toMatchObject(refused('VALUE_REQUIRED', 'input.carrier'));
  expect(await send(clerk, { carrier: 'Post' })).toMatchObject({ status: 'sent', carrier: 'Post' });
  expect(await manager.get('shop.item', thing)).toMatchObject({ stock: 6 });
  const moves = await manager.list('shop.move');
  expect(moves.rows.map(({ record }) => record)).toMatchObject([
    { quantity: -3, kind: 'sent O-00001' },
    { quantity: -1 },
  ]);
  const notes = await db.owner.query('SELECT user_id, body FROM bac.notifications');
  expect(notes.rows).toEqual([{ user_id: 'ann@x.example', body: 'Sent: O-00001' }]);
  const hooks = await db.owner.query('SELECT body FROM bac.outbox');
  expect(hooks.rows).toEqual([{ body: { id: Number(order.id), total: 10 } }]);
  await manager.transition('shop.order', order.id, 'cancel');
  const amended = await manager.amend('shop.order', order.id);
  expect(amended).toMatchObject({
    status: 'open',
    amended_from: order.id,
    total: '10.00',
    number: 'O-00002',
  });
  await expect(manager.amend('shop.order', order.id)).rejects.toMatchObject(refused('TRANSITION_REFUSED'));
});

test('what is not in stock cannot be sent, and nothing of it happens', async () => {
  const thing = await item(1);
  const lines = [{ item: thing, quantity: 2, price: '1' }];
  const order = await ann.create('shop.order', { owner: who.ann!, lines });
  await ann.transition('shop.order', order.id, 'place');
  await expect(clerk.transition('shop.order', order.id, 'send', { carrier: 'x' })).rejects.toMatchObject(
    refused('RULE_BROKEN', undefined, 'There is not so much in stock.'),
  );
  expect(await ann.get('shop.order', order.id)).toMatchObject({ status: 'placed', carrier: null });
});

test('guards, actions, rules over other rows, values needed under a condition, automations', async () => {
  const order = await manager.create('shop.order', { owner: who.ann! });
  const line = (price: string): Values => ({ lines: [{ item: thing, price }] });
  const thing = await item(0);
  await expect(manager.transition('shop.order', order.id, 'place')).rejects.toMatchObject(
    refused('TRANSITION_REFUSED', undefined, 'There is nothing on it.'),
  );
  await manager.update('shop.order', order.id, line('200'));
  expect(await manager.act('shop.order', order.id, 'discount', { percent: '10' })).toMatchObject({
    discount: '20.00',
    payable: '180.00',
  });
  await expect(manager.act('shop.order', order.id, 'discount', { percent: 200 })).rejects.toMatchObject(
    refused('VALUE_INVALID', 'input.percent'),
  );
  await expect(manager.update('shop.order', order.id, line('20000'))).rejects.toMatchObject(
    refused('RULE_BROKEN', undefined, 'That is too much for one order.'),
  );
  await manager.update('shop.order', order.id, line('2000'));
  const notes = await db.owner.query('SELECT role, body FROM bac.notifications WHERE role IS NOT NULL');
  expect(notes.rows).toEqual([{ role: 'manager', body: `Big order ${order.number}` }]);
  const bookings: Values[] = [
    { account: 'a', debit: '5' },
    { account: 'b', credit: '4' },
  ];
  const entry = await manager.create('shop.entry', { text: 'x', bookings });
  await expect(manager.transition('shop.entry', entry.id, 'post')).rejects.toMatchObject(
    refused('RULE_BROKEN', undefined, 'Debit and credit differ.'),
  );
  await expect(manager.create('shop.entry', { text: 'other' })).rejects.toMatchObject(
    refused('VALUE_REQUIRED', 'reason'),
  );
});

test('rows of others, hidden and masked fields', async () => {
  const mine = await ann.create('shop.order', { owner: who.ann!, note: 'mine' });
  const other = await manager.create('shop.order', { owner: who.bob!, note: 'other' });
  expect(await ann.get('shop.order', other.id)).toBeNull();
  await expect(ann.update('shop.order', other.id, { note: 'x' })).rejects.toMatchObject(
    refused('RECORD_NOT_FOUND'),
  );
  await expect(ann.update('shop.order', mine.id, { owner: who.bob! })).rejects.toMatchObject(
    refused('PERMISSION_DENIED'),
  );
  await expect(ann.create('shop.order', { owner: who.bob! })).rejects.toMatchObject(
    refused('PERMISSION_DENIED'),
  );
  const seen = await clerk.get('shop.person', who.ann!);
  expect(seen).toMatchObject({ name: 'ann', phone: '•••' });
  expect(seen).not.toHaveProperty('salary');
  for (const query of [
    { sort: ['salary'] },
    { filter: { salary: { gt: 1 } } },
    { filter: { phone: { eq: '1' } } },
    { filter: { boss: { salary: { gt: 1 } } } },
    { select: { salary: true as const } },
  ])
    await expect(clerk.list('shop.person', query), JSON.stringify(query)).rejects.toMatchObject(
      refused('FIELD_DENIED'),
    );
  await expect(clerk.aggregate('shop.person', { measures: ['sum:salary'] })).rejects.toMatchObject(
    refused('FIELD_DENIED'),
  );
  const counts = await ann.aggregate('shop.order', { by: ['owner'], measures: ['count'] });
  expect(counts.map((row) => row.owner)).toEqual([who.ann]);
  await expect(clerk.create('shop.item', { name: 'x' })).rejects.toMatchObject(refused('PERMISSION_DENIED'));
  await expect(clerk.list('shop.entry')).rejects.toMatchObject(refused('PERMISSION_DENIED'));
});

test('mistakes are told with their field', async () => {
  const cases: [Values, string, string][] = [
    [{ name: 'x' }, 'VALUE_INVALID', 'name'],
    [{ name: 'xx', email: 'no' }, 'VALUE_INVALID', 'email'],
    [{ name: 'xx', email: 'ann@x.example' }, 'VALUE_TAKEN', 'email'],
    [{ name: 'xx', salary: '1.234' }, 'VALUE_INVALID', 'salary'],
    [{ name: 'xx', boss: '999999' }, 'REFERENCE_UNKNOWN', 'boss'],
    [{ name: 'xx', nope: 1 }, 'FIELD_UNKNOWN', 'nope'],
    [{ name: 'xx', version: 1 }, 'FIELD_IMMUTABLE', 'version'],
    [{}, 'VALUE_REQUIRED', 'name'],
    [{ name: null }, 'VALUE_REQUIRED', 'name'],
    [{ name: "xx'); DROP TABLE shop.person; --\0" }, 'VALUE_INVALID', 'name'],
  ];
  for (const [values, code, path] of cases)
    await expect(manager.create('shop.person', values), JSON.stringify(values)).rejects.toMatchObject(
      refused(code, path),
    );
  const lines = (line: Values): Values => ({ owner: who.ann!, lines: [line] });
  await expect(manager.create('shop.order', lines({ price: '1', item: '77777' }))).rejects.toMatchObject(
    refused('REFERENCE_UNKNOWN', 'lines.0.item'),
  );
  await expect(
    manager.create('shop.order', lines({ price: '1', item: '1', quantity: 0 })),
  ).rejects.toMatchObject(refused('VALUE_INVALID', 'lines.0.quantity'));
  await expect(manager.delete('shop.person', who.ann!)).rejects.toMatchObject(refused('RECORD_IN_USE'));
  const thing = await manager.create('shop.item', { name: 'x', sku: 'A-1' });
  await expect(manager.update('shop.item', thing.id, { sku: 'A-2' })).rejects.toMatchObject(
    refused('FIELD_IMMUTABLE', 'sku'),
  );
});

test('comments, attachments, timeline, search', async () => {
  const order = await ann.create('shop.order', { owner: who.ann!, note: 'look' });
  const comment = await ann.timeline.comment('shop.order', order.id, 'See here, @bob@x.example!');
  expect(comment).toMatchObject({ kind: 'comment', mentions: ['bob@x.example'], actor: 'ann@x.example' });
  const bytes = Buffer.alloc(600_000, 'abc');
  async function* content(): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 1000);
    yield bytes.subarray(1000);
  }
  const named = { name: 'a.txt', type: 'text/plain', content: content() };
  const file = await ann.timeline.attach('shop.order', order.id, named);
  expect(file).toMatchObject({ name: 'a.txt', bytes: 600_000 });
  const opened = await ann.timeline.open(file.id);
  const parts: Buffer[] = [];
  for await (const part of opened.content) parts.push(part);
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  const other = db.runtime.as(someone('bob@x.example', ['seller']), { surface: 'web' });
  await expect(other.timeline.open(file.id)).rejects.toMatchObject(refused('RECORD_NOT_FOUND'));
  await expect(other.timeline.list('shop.order', order.id)).rejects.toMatchObject(
    refused('RECORD_NOT_FOUND'),
  );
  const kinds = (await ann.timeline.list('shop.order', order.id)).map((entry) => entry.kind);
  expect(kinds).toEqual(['attachment', 'comment', 'created']);
  await ann.timeline.detach(file.id);
  expect(await ann.timeline.attachments('shop.order', order.id)).toEqual([]);
  expect(await clerk.search('ann')).toMatchObject([{ entity: 'shop.person', title: 'ann' }]);
});

test('the same key acts once; another request under it is told', async () => {
  const once = () => manager.create('shop.item', { name: 'once' }, { idempotencyKey: 'k1' });
  const [a, b] = await Promise.all([once(), once()]);
  expect(a).toEqual(b);
  await expect(
    manager.create('shop.item', { name: 'twice' }, { idempotencyKey: 'k1' }),
  ).rejects.toMatchObject(refused('IDEMPOTENCY_MISMATCH'));
  const found = await manager.list('shop.item', { filter: { name: { eq: 'once' } }, count: true });
  expect(found.total).toBe(1);
});

test('bulk is all or nothing', async () => {
  await expect(
    manager.bulk([
      { op: 'create', entity: 'shop.item', values: { name: 'bulk' } },
      { op: 'create', entity: 'shop.item', values: {} },
    ]),
  ).rejects.toMatchObject({ code: 'VALUE_REQUIRED', details: { operation: 1 } });
  expect((await manager.list('shop.item', { filter: { name: { eq: 'bulk' } } })).rows).toEqual([]);
});

test('with the engine’s own checks off, row-level security holds by itself', async () => {
  const order = await manager.create('shop.order', { owner: who.bob!, note: 'secret' });
  const entry = await manager.create('shop.entry', { text: 'books' });
  const open = db.another({ trust: 'database' });
  const as = (user: string, roles: string[], tenant?: string): Records =>
    open.as(someone(user, roles, tenant), { surface: 'web' });
  const seller = as('ann@x.example', ['seller']);
  const nobody = as('eve@x.example', []);
  const stranger = as('max@x.example', ['owner', 'manager'], 'two');
  for (const records of [seller, nobody, stranger]) {
    expect(await records.get('shop.order', order.id)).toBeNull();
    expect((await records.list('shop.entry', { count: true })).total).toBe(0);
    expect(await records.aggregate('shop.entry', { measures: ['count'] })).toEqual([{ count: 0 }]);
    for (const write of [
      () => records.update('shop.order', order.id, { note: 'x' }),
      () => records.delete('shop.entry', entry.id),
      () => records.transition('shop.order', order.id, 'cancel'),
      () => records.timeline.comment('shop.order', order.id, 'x'),
    ])
      await expect(write()).rejects.toMatchObject(refused('RECORD_NOT_FOUND'));
    await expect(records.create('shop.order', { owner: who.bob! })).rejects.toThrow();
  }
  const reader = as('cleo@x.example', ['clerk']);
  expect(await reader.get('shop.order', order.id)).toMatchObject({ note: 'secret' });
  for (const write of [
    () => reader.update('shop.order', order.id, { note: 'x' }),
    () => reader.transition('shop.order', order.id, 'cancel'),
    () => reader.delete('shop.order', order.id),
    () => reader.create('shop.item', { name: 'x' }),
  ])
    await expect(write()).rejects.toMatchObject({ disposition: 'user' });
  expect(await manager.get('shop.order', order.id)).toMatchObject({ note: 'secret', status: 'open' });
});
