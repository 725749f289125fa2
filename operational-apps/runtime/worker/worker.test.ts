import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { SHOP } from '../fixtures/shop.ts';
import type { Records } from '../index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from '../testing.ts';
import { isPrivate } from './addresses.ts';
import {
  type AppsWorker,
  type AppsWorkerOptions,
  createAppsWorker,
  listAutomationRuns,
  listDeliveries,
  resendDeliveries,
} from './index.ts';

let db: TestRuntime;
let manager: Records;
const workers: AppsWorker[] = [];
const apps = appsOf(SHOP);

const worker = (options: Partial<AppsWorkerOptions> = {}): AppsWorker => {
  const made = createAppsWorker({
    pool: db.owner,
    url: db.url,
    apps: () => apps,
    logger: silentLogger(),
    allowPrivate: true,
    firstPauseMs: 1,
    retention: { notificationsDays: 90, deliveriesDays: 30 },
    ...options,
  });
  workers.push(made);
  return made;
};

beforeAll(async () => {
  db = await testRuntime(apps);
  manager = db.runtime.as(someone('max@x.example', ['manager']), { surface: 'web' });
});
afterAll(async () => {
  for (const one of workers) await one.stop();
  await db?.[Symbol.asyncDispose]();
});

test('what is due happens once for each due time, however many workers look', async () => {
  const owner = await manager.create('shop.person', { name: 'ann', email: 'ann@x.example' });
  const due = new Date(Date.now() + 3_600_000).toISOString();
  const open = await manager.create('shop.order', { owner: owner.id, due_at: due });
  await manager.create('shop.order', {
    owner: owner.id,
    due_at: new Date(Date.now() + 48 * 3_600_000).toISOString(),
  });
  await Promise.all([worker(), worker(), worker()].map((one) => one.round()));
  await worker().round();
  const notes = async (): Promise<unknown[]> =>
    (await db.owner.query("SELECT record_id FROM bac.notifications WHERE body LIKE 'Due%'")).rows;
  expect(await notes()).toEqual([{ record_id: open.id }]);
  await manager.update('shop.order', open.id, { due_at: new Date(Date.now() + 7_200_000).toISOString() });
  await worker().round();
  expect(await notes()).toHaveLength(2);
});

test('runs of long ago are taken away; those that could be found due again stay', async () => {
  const old = async (days: number): Promise<void> => {
    await db.owner.query(
      `INSERT INTO bac.automation_runs (tenant_id, entity, automation, record_id, due_at, ran_at, state)
       SELECT 'one', 'shop.order', 'old', 1, at, at, 'done' FROM (SELECT now() - $1 * interval '1 day' AS at) t`,
      [days],
    );
  };
  for (const days of [8, 31, 400]) await old(days);
  const left = async (): Promise<number> =>
    (await db.owner.query("SELECT FROM bac.automation_runs WHERE automation = 'old'")).rowCount!;
  await worker().round();
  expect(await left()).toBe(1);
  await worker({ retention: { notificationsDays: 90, deliveriesDays: 1 } }).round();
  expect(await left()).toBe(1);
});

interface Got {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function receiver(answer: (attempt: number) => { status: number; headers?: Record<string, string> }) {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    got.push({ headers: request.headers, body: Buffer.concat(parts).toString() });
    const { status, headers } = answer(got.length);
    response.writeHead(status, headers).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    got,
    url: `http://127.0.0.1:${port}/hook`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

const enqueue = async (url: string): Promise<string> =>
  (
    await db.owner.query<{ id: string }>(
      `INSERT INTO bac.outbox (tenant_id, entity, record_id, url, body) VALUES ('one', 'shop.order', 1, $1, '{"id": 1}') RETURNING id`,
      [url],
    )
  ).rows[0]!.id;
const state = async (id: string): Promise<Record<string, unknown>> =>
  (
    await db.owner.query(
      "SELECT state, attempts, last_status, last_error, next_at > now() + interval '50 seconds' AS later FROM bac.outbox WHERE id = $1",
      [id],
    )
  ).rows[0]!;

test('a webhook is sent again until it is taken, signed, under one number', async () => {
  await using hook = await receiver((attempt) => ({ status: attempt < 3 ? 500 : 204 }));
  const id = await enqueue(hook.url);
  const one = worker();
  while ((await state(id)).state === 'waiting') await one.round();
  expect(await state(id)).toMatchObject({ state: 'sent', attempts: 3, last_status: 204 });
  expect(hook.got.map(({ headers }) => headers['x-bac-delivery'])).toEqual([id, id, id]);
  const { headers, body } = hook.got[2]!;
  expect(JSON.parse(body)).toEqual({ id: 1 });
  const [, at, hash] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-bac-signature']))!;
  const { rows } = await db.owner.query("SELECT value FROM bac.secrets WHERE name = 'webhook_signing'");
  expect(createHmac('sha256', rows[0].value).update(`${at}.${body}`).digest('hex')).toBe(hash);
});

test('Retry-After is honoured; after the last attempt it is dead, and says why', async () => {
  await using hook = await receiver(() => ({ status: 429, headers: { 'retry-after': '60' } }));
  const id = await enqueue(hook.url);
  await worker().round();
  expect(await state(id)).toMatchObject({ state: 'waiting', attempts: 1, last_status: 429, later: true });
  await db.owner.query('UPDATE bac.outbox SET next_at = now() WHERE id = $1', [id]);
  await worker({ attempts: 2 }).round();
  expect(await state(id)).toMatchObject({ state: 'dead', attempts: 2, last_error: 'HTTP 429' });
});

test('an operator sees what became of webhooks, page by page, and has dead ones sent again', async () => {
  let isUp = false;
  await using hook = await receiver(() => ({ status: isUp ? 204 : 500 }));
  const ids: string[] = [];
  for (const part of ['a', 'b', 'c']) ids.push(await enqueue(`${hook.url}/${part}?token=hush`));
  await db.owner.query("UPDATE bac.outbox SET next_at = now() + interval '1 hour' WHERE id = $1", [ids[2]]);
  while ((await state(ids[1]!)).state === 'waiting') await worker({ attempts: 2 }).round();
  const all = await listDeliveries(db.owner, { tenant: 'one', limit: 2 });
  expect(all).toMatchObject([
    { id: ids[2], state: 'waiting', attempts: 0, nextAt: expect.any(Date), lastError: null },
    { id: ids[1], state: 'dead', attempts: 2, nextAt: null, lastStatus: 500, lastError: 'HTTP 500' },
  ]);
  expect(all[0]!.url).toBe(`${hook.url}/c?…`);
  const dead = { tenant: 'one', state: 'dead', before: ids[1], limit: 1 } as const;
  expect(await listDeliveries(db.owner, dead)).toMatchObject([{ id: ids[0], state: 'dead' }]);
  expect(await listDeliveries(db.owner, { tenant: 'two', limit: 10 })).toEqual([]);
  isUp = true;
  expect(await resendDeliveries(db.owner, { tenant: 'two' })).toBe(0);
  expect(await resendDeliveries(db.owner, { ids })).toBe(2);
  while ((await state(ids[0]!)).state === 'waiting' || (await state(ids[1]!)).state === 'waiting')
    await worker().round();
  expect(await state(ids[0]!)).toMatchObject({ state: 'sent', attempts: 1, last_error: null });
  expect(hook.got.filter(({ headers }) => headers['x-bac-delivery'] === ids[0])).toHaveLength(3);
  expect(await resendDeliveries(db.owner, { ids })).toBe(0);
  await db.owner.query('DELETE FROM bac.outbox WHERE id = $1', [ids[2]]);
  expect(await listAutomationRuns(db.owner, { tenant: 'one', limit: 1 })).toMatchObject([
    { entity: 'shop.order', automation: 'remind', state: 'done', error: null },
  ]);
  expect(await listAutomationRuns(db.owner, { state: 'failed', limit: 10 })).toEqual([]);
});

test('nothing is sent to private addresses, by number or by name', async () => {
  await using hook = await receiver(() => ({ status: 204 }));
  const port = new URL(hook.url).port;
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]']) {
    const id = await enqueue(`http://${host}:${port}/`);
    await worker({ allowPrivate: false, attempts: 1 }).round();
    expect(await state(id), host).toMatchObject({ state: 'dead', last_status: null });
  }
  expect(hook.got).toEqual([]);
  for (const address of [
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    'fd00::1',
    'fe80::1',
    '0.0.0.0',
  ])
    expect(isPrivate(address), address).toBe(true);
  for (const address of ['8.8.8.8', '172.32.0.1', '2a00:1450::1'])
    expect(isPrivate(address), address).toBe(false);
});

test('expired keys go', async () => {
  await manager.create('shop.item', { name: 'kept' }, { idempotencyKey: 'old' });
  await db.owner.query("UPDATE bac.idempotency_keys SET expires_at = now() - interval '1 minute'");
  await worker().round();
  expect((await db.owner.query('SELECT 1 FROM bac.idempotency_keys')).rowCount).toBe(0);
});

test('what is over goes after its days, what is unread or waits stays', async () => {
  const { owner: pool } = db;
  await pool.query(`INSERT INTO bac.notifications (id, tenant_id, user_id, role, entity, record_id, body, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT 900000 + g, 'keep', CASE WHEN g <> 4 THEN CASE WHEN g = 5 THEN 'other' ELSE 'ann' END END,
      CASE WHEN g = 4 THEN 'manager' END, 'shop.order', 1, 'n' || g,
      now() - CASE WHEN g = 2 THEN 10 ELSE 100 END * interval '1 day'
    FROM generate_series(1, 5) g`);
  await pool.query("INSERT INTO bac.notifications_seen VALUES ('keep', 'ann', 900002)");
  await pool.query(`INSERT INTO bac.outbox (tenant_id, entity, record_id, url, body, state, next_at, sent_at)
    SELECT 'keep', 'shop.order', g, 'https://x.example', '{}', state, now() - days * interval '1 day', sent
    FROM (VALUES (1, 'sent', 40, now() - interval '40 days'), (2, 'sent', 40, now() - interval '2 days'),
      (3, 'dead', 40, NULL), (4, 'waiting', 40, NULL)) AS v (g, state, days, sent)`);
  await worker({ apps: () => [] }).round();
  const left = await pool.query("SELECT body FROM bac.notifications WHERE tenant_id = 'keep' ORDER BY id");
  // Read and recent, unread, of somebody who has read nothing.
  expect(left.rows.map((row) => row.body)).toEqual(['n2', 'n3', 'n5']);
  const hooks = await pool.query(
    "SELECT record_id::int AS n FROM bac.outbox WHERE tenant_id = 'keep' ORDER BY record_id",
  );
  expect(hooks.rows.map((row) => row.n)).toEqual([2, 4]);
  await pool.query("DELETE FROM bac.outbox WHERE tenant_id = 'keep'");
});
