import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { SHOP } from '../fixtures/shop.ts';
import type { Records } from '../index.ts';
import { createSessions, type Identity, type Sessions } from '../sessions/index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from '../testing.ts';

let db: TestRuntime;
let sessions: Sessions;
let manager: Records;
let ann: Records;
let bob: Records;
const who: Record<string, string> = {};
const as = (user: string, role: string, tenant = 'one'): Records =>
  db.runtime.as(someone(`${user}@x.example`, [role], tenant), { surface: 'web' });
const identity = (user: string, roles: readonly string[], tenant = 'one'): Identity => ({
  tenant,
  user: `${user}@x.example`,
  roles,
  attributes: {},
});

beforeAll(async () => {
  db = await testRuntime(appsOf(SHOP));
  sessions = createSessions({ url: db.url, logger: silentLogger(), connections: 2 });
  manager = as('max', 'manager');
  ann = as('ann', 'seller');
  bob = as('bob', 'seller');
  for (const name of ['ann', 'bob'])
    who[name] = (await manager.create('shop.person', { name, email: `${name}@x.example`, salary: '10' })).id;
});
afterAll(async () => {
  await sessions?.close();
  await db?.[Symbol.asyncDispose]();
});

describe('saved filters', () => {
  const names = async (records: Records, entity = 'shop.person'): Promise<string[]> =>
    (await records.savedFilters.list(entity)).map(({ name }) => name);

  test('are kept by name, changed under it, shared and deleted', async () => {
    const first = await ann.savedFilters.save('shop.order', {
      name: ' Mine ',
      filter: { status: { eq: 'open' }, owner: { email: { startsWith: 'a' } } },
      sort: ['-created_at'],
      columns: ['number', 'owner.name', 'owner.email', 'total'],
    });
    expect(first).toMatchObject({ name: 'Mine', own: true, shared: false, owner: 'ann@x.example' });
    expect(await ann.savedFilters.list('shop.order')).toEqual([first]);
    expect(await names(bob, 'shop.order')).toEqual([]);
    const again = await ann.savedFilters.save('shop.order', { name: 'Mine', shared: true });
    expect(again).toMatchObject({ id: first.id, filter: null, sort: [], columns: [], shared: true });
    await bob.savedFilters.save('shop.order', { name: 'Mine' });
    expect((await bob.savedFilters.list('shop.order')).map(({ owner, own }) => [owner, own])).toEqual([
      ['bob@x.example', true],
      ['ann@x.example', false],
    ]);
    expect(await names(as('ann', 'seller', 'two'), 'shop.order')).toEqual([]);
    await expect(bob.savedFilters.delete(first.id)).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' });
    await ann.savedFilters.delete(first.id);
    await expect(ann.savedFilters.delete(first.id)).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' });
    expect(await names(ann, 'shop.order')).toEqual([]);
  });

  test.for<[string, object, string]>([
    ['a hidden field', { filter: { salary: { gte: '5' } } }, 'FIELD_DENIED'],
    ['one through a reference', { filter: { boss: { salary: { gte: '5' } } } }, 'FIELD_DENIED'],
    ['an order by a masked one', { sort: ['phone'] }, 'FIELD_DENIED'],
    ['a hidden column', { columns: ['salary'] }, 'FIELD_DENIED'],
    ['one through a reference', { columns: ['boss.salary'] }, 'FIELD_DENIED'],
    ['a column of no entity', { columns: ['constructor'] }, 'FIELD_UNKNOWN'],
    ['a column that is no name', { columns: ['a b'] }, 'FIELD_UNKNOWN'],
    ['an unknown condition', { filter: { name: { near: 1 } } }, 'FILTER_INVALID'],
    ['a long filter', { filter: { name: { in: Array(900).fill('a'.repeat(30)) } } }, 'LIMIT_EXCEEDED'],
    ['an empty name', { name: ' ' }, 'VALUE_INVALID'],
  ])('%s is refused when it is saved', async ([, given, code]) => {
    const filter = { name: 'x', ...given };
    await expect(ann.savedFilters.save('shop.person', filter)).rejects.toMatchObject({ code });
  });

  test('of what the reader may not see they are left out; own ones come empty, with the reason', async () => {
    await manager.savedFilters.save('shop.person', {
      name: 'Top earners over 4711',
      filter: { salary: { gte: '4711' } },
      shared: true,
    });
    await manager.savedFilters.save('shop.person', { name: 'By name', sort: ['name'], shared: true });
    expect(await names(ann)).toEqual(['By name']);
    expect(await names(manager)).toEqual(['By name', 'Top earners over 4711']);
    const [, gone] = await as('max', 'seller').savedFilters.list('shop.person');
    expect(gone).toMatchObject({ filter: null, own: true, problem: { code: 'FIELD_DENIED' } });
    await expect(ann.savedFilters.list('shop.move')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const reader = db.runtime.as(
      { ...someone('ann@x.example', ['seller']), scopes: ['read'] },
      { surface: 'web' },
    );
    await expect(reader.savedFilters.save('shop.person', { name: 'x' })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });

  test('the database alone holds them: others are neither seen nor changed', async () => {
    const own = await ann.savedFilters.save('shop.person', { name: 'Private' });
    const shared = await ann.savedFilters.save('shop.person', { name: 'Public', shared: true });
    const ids = async (reader: Identity): Promise<string[]> =>
      (
        await sessions.read(reader, {
          text: `SELECT id::text FROM bac.saved_filters WHERE id IN (${own.id}, ${shared.id}) ORDER BY id`,
        })
      ).rows.map(([id]) => id!);
    expect(await ids(identity('ann', ['seller']))).toEqual([own.id, shared.id]);
    expect(await ids(identity('bob', ['manager', 'owner']))).toEqual([shared.id]);
    expect(await ids(identity('ann', ['seller'], 'two'))).toEqual([]);
    expect((await sessions.bare({ text: 'SELECT 1 FROM bac.saved_filters' })).rows).toEqual([]);
    const change = (sql: string, by = identity('bob', ['owner'])) =>
      sessions.write(by, (tx) => tx.run({ text: sql }));
    expect((await change(`DELETE FROM bac.saved_filters WHERE id = ${shared.id}`)).count).toBe(0);
    expect((await change(`UPDATE bac.saved_filters SET shared = false WHERE id = ${shared.id}`)).count).toBe(
      0,
    );
    for (const [tenant, user] of [
      ['one', 'ann@x.example'],
      ['two', 'bob@x.example'],
    ])
      await expect(
        change(
          `INSERT INTO bac.saved_filters (tenant_id, entity, user_id, name, query) VALUES ('${tenant}', 'shop.person', '${user}', 'forged', '{}')`,
        ),
      ).rejects.toThrow('row-level security');
  });
});

describe('notifications', () => {
  const tell = async (to: { user?: string; role?: string }, body: string, tenant = 'one'): Promise<string> =>
    (
      await db.owner.query<{ id: string }>(
        `INSERT INTO bac.notifications (tenant_id, user_id, role, entity, record_id, body, with_record)
         VALUES ($1, $2, $3, 'shop.item', 1, $4, false) RETURNING id`,
        [tenant, to.user ?? null, to.role ?? null, body],
      )
    ).rows[0]!.id;

  test('come newest first, page by page, for the user and the roles; read up to one', async () => {
    const eve = as('eve', 'manager');
    const user = 'eve@x.example';
    for (let n = 1; n <= 7; n += 1)
      await tell(n % 3 === 0 ? { role: n === 3 ? 'seller' : 'manager' } : { user }, `n${n}`);
    await tell({ user, role: 'manager' }, 'both');
    await tell({ role: 'clerk' }, 'not hers');
    await tell({ user: 'bob@x.example' }, 'his');
    await tell({ user }, 'elsewhere', 'two');
    const texts: string[] = [];
    let after: string | undefined;
    do {
      const page = await eve.notifications.list({ first: 3, ...(after ? { after } : {}) });
      expect(page).toMatchObject({ unread: 8, unreadIsMore: false });
      texts.push(...page.notifications.map(({ text }) => text));
      after = page.next ?? undefined;
    } while (after);
    expect(texts).toEqual(['both', 'n7', 'n6', 'n5', 'n4', 'n3', 'n2', 'n1']);
    const { notifications } = await eve.notifications.list();
    const fifth = notifications.find(({ text }) => text === 'n5')!;
    expect(fifth).toMatchObject({ entity: 'shop.item', record: '1', role: null, read: false });
    expect(notifications.find(({ text }) => text === 'n3')).toMatchObject({ role: 'seller' });
    expect(await eve.notifications.markRead(fifth.id)).toEqual({ unread: 3, unreadIsMore: false });
    expect(await eve.notifications.markRead(notifications.at(-1)!.id)).toMatchObject({ unread: 3 });
    expect((await eve.notifications.list()).notifications.map(({ read }) => read)).toEqual([
      ...[false, false, false],
      ...[true, true, true, true, true],
    ]);
    expect(await eve.notifications.markRead('9223372036854775807')).toMatchObject({ unread: 0 });
    await tell({ user }, 'later');
    expect(await eve.notifications.list({ first: 1 })).toMatchObject({
      notifications: [{ text: 'later', read: false }],
      unread: 1,
    });
    await expect(eve.notifications.list({ after: 'x' })).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
    await expect(eve.notifications.list({ first: 101 })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  test('more than a hundred unread ones are not counted on', async () => {
    await db.owner.query(`INSERT INTO bac.notifications (tenant_id, user_id, entity, record_id, body, with_record)
      SELECT 'one', 'many@x.example', 'shop.item', 1, 'n', false FROM generate_series(1, 150)`);
    expect(await as('many', 'seller').notifications.list()).toMatchObject({
      unread: 100,
      unreadIsMore: true,
    });
  });

  test('a mention is told to who may read the record, and only while they may', async () => {
    const order = await ann.create('shop.order', { owner: who.ann!, note: 'secret deal' });
    await ann.timeline.comment('shop.order', order.id, 'Price is 4711, @bob@x.example and @max@x.example');
    const mentions = async (records: Records): Promise<string[]> =>
      (await records.notifications.list()).notifications
        .filter(({ record, entity }) => entity === 'shop.order' && record === order.id)
        .map(({ text }) => text);
    const unread = async (): Promise<number> => (await bob.notifications.list()).unread;
    const [text] = await mentions(manager);
    expect(text).toBe('ann@x.example: Price is 4711, @bob@x.example and @max@x.example');
    expect(await mentions(bob)).toEqual([]);
    const before = await unread();
    await manager.update('shop.order', order.id, { owner: who.bob! });
    expect(await mentions(bob)).toEqual([text]);
    expect(await unread()).toBe(before + 1);
    await manager.update('shop.order', order.id, { owner: who.ann! });
    expect(await mentions(bob)).toEqual([]);
    expect(await unread()).toBe(before);
    const blind = db.runtime.as({ ...someone('max@x.example', ['manager']), scopes: [] }, { surface: 'web' });
    await expect(blind.notifications.list()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect(blind.notifications.markRead('1')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  test('the database alone holds them: those of others, and mentions in what one may not read', async () => {
    const own = await tell({ user: 'zoe@x.example' }, 'own');
    const role = await tell({ role: 'clerk' }, 'role');
    const order = await ann.create('shop.order', { owner: who.ann! });
    await ann.timeline.comment('shop.order', order.id, 'Look, @zoe@x.example');
    const bodies = async (reader: Identity): Promise<string[]> =>
      (
        await sessions.read(reader, {
          text: `SELECT body FROM bac.notifications WHERE id IN (${own}, ${role}) OR record_id = ${order.id} AND entity = 'shop.order' ORDER BY id`,
        })
      ).rows.map(([body]) => body!);
    expect(await bodies(identity('zoe', ['seller']))).toEqual(['own']);
    expect(await bodies(identity('zoe', ['clerk']))).toEqual([
      'own',
      'role',
      'ann@x.example: Look, @zoe@x.example',
    ]);
    expect(await bodies(identity('yan', ['clerk']))).toEqual(['role']);
    expect(await bodies(identity('zoe', ['clerk'], 'two'))).toEqual([]);
    expect((await sessions.bare({ text: 'SELECT 1 FROM bac.notifications' })).rows).toEqual([]);
    const write = (text: string) => sessions.write(identity('zoe', ['owner']), (tx) => tx.run({ text }));
    await expect(write(`DELETE FROM bac.notifications WHERE id = ${own}`)).rejects.toThrow(
      'permission denied',
    );
    for (const [tenant, user] of [
      ['one', 'yan@x.example'],
      ['two', 'zoe@x.example'],
    ])
      await expect(
        write(`INSERT INTO bac.notifications_seen VALUES ('${tenant}', '${user}', 1)`),
      ).rejects.toThrow('row-level security');
  });
});
