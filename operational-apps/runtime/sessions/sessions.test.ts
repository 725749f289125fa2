import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { appsOf, type TestRuntime, testRuntime } from '../testing.ts';
import { createSessions, type Identity, type Sessions } from './index.ts';

const APP = `
app: { name: one, label: One }
permissions: [{ role: everyone, can: all }]
entities:
  row: { titleField: t, fields: { t: { type: text } } }
`;
const ann: Identity = { tenant: 'a', user: 'ann', roles: ['r'], attributes: { region: 'eu' } };
const SETTINGS =
  "SELECT current_setting('bac.tenant', true), current_setting('bac.user', true), current_setting('bac.roles', true), current_setting('bac.attributes', true), current_user::text, current_setting('transaction_read_only'), current_setting('plan_cache_mode')";

let db: TestRuntime;
let sessions: Sessions;

beforeAll(async () => {
  db = await testRuntime(appsOf(APP));
  sessions = createSessions({ url: db.url, logger: silentLogger(), connections: 1, queue: 3 });
});
afterAll(async () => {
  await sessions?.close();
  await db?.[Symbol.asyncDispose]();
});

/** What the only connection has set outside of any call. */
async function left(): Promise<readonly (string | null)[]> {
  const found = await sessions.bare({ text: SETTINGS });
  return found.rows[0]!;
}
const CLEAN = ['', '', '', '', 'bac_app', 'off', 'auto'];
const clean = async (): Promise<void> => {
  expect((await left()).map((one) => one ?? '')).toEqual(CLEAN);
};

test('a read has its settings, in one transaction that cannot write, and nothing of them stays', async () => {
  const { rows } = await sessions.read(ann, { text: SETTINGS });
  expect(rows).toEqual([['a', 'ann', 'r', '{"region":"eu"}', 'bac_app', 'on', 'auto']]);
  await clean();
  const planned = await sessions.read(ann, { text: SETTINGS, keep: true, onePlan: true });
  expect(planned.rows[0]!.slice(-2)).toEqual(['on', 'force_generic_plan']);
  await clean();
  await expect(sessions.read(ann, { text: 'DELETE FROM one.row' })).rejects.toThrow('read-only');
  await clean();
});

test('nor after an error in the middle, a rolled back write, a cancel', async () => {
  await expect(sessions.read(ann, { text: 'SELECT 1 / 0' })).rejects.toThrow('division by zero');
  await clean();
  await expect(
    sessions.write(ann, async (tx) => {
      await tx.elevated(() => tx.run({ text: 'SELECT 1' }));
      throw new Error('changed my mind');
    }),
  ).rejects.toThrow('changed my mind');
  await clean();
  let leave = (): void => {};
  const client = {
    gone: false,
    onGone(then: () => void) {
      leave = () => {
        client.gone = true;
        then();
      };
      return () => {};
    },
  };
  const slow = sessions.read(ann, { text: 'SELECT pg_sleep(20)' }, { client });
  setTimeout(() => leave(), 100);
  const began = performance.now();
  await expect(slow).rejects.toMatchObject({ code: 'CLIENT_GONE' });
  expect(performance.now() - began).toBeLessThan(5_000);
  await clean();
  await sessions.write(ann, (tx) => tx.elevated(() => tx.run({ text: SETTINGS })));
  await clean();
});

test('statements stay prepared, up to a bound; the tables may change under them', async () => {
  const keep = (text: string) => sessions.read(ann, { text, keep: true });
  for (let at = 0; at < 500; at += 1) await keep(`SELECT ${at}`);
  const { rows } = await sessions.read(ann, { text: 'SELECT count(*) FROM pg_prepared_statements' });
  expect(Number(rows[0]![0])).toBeLessThanOrEqual(201);
  await keep('SELECT * FROM one.row');
  await db.owner.query('ALTER TABLE one.row ADD COLUMN extra text');
  expect((await keep('SELECT * FROM one.row')).rows).toEqual([]);
});

test('the next call beyond the queue is refused', async () => {
  const calls = Array.from({ length: 8 }, () => sessions.read(ann, { text: 'SELECT pg_sleep(0.05)' }));
  const results = await Promise.allSettled(calls);
  const refused = results.filter((one) => one.status === 'rejected');
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.map((one) => one.reason.code)).toEqual(refused.map(() => 'BUSY'));
});

test('without settings no row is seen, and the login may not become the owner', async () => {
  await db.owner.query("INSERT INTO one.row (tenant_id, t) VALUES ('a', 'x')");
  expect((await sessions.bare({ text: 'SELECT * FROM one.row' })).rows).toEqual([]);
  await expect(sessions.bare({ text: 'SET ROLE postgres' })).rejects.toThrow('permission denied');
  await expect(sessions.bare({ text: 'SELECT * FROM bac.secrets' })).rejects.toThrow('permission denied');
  expect((await sessions.read({ ...ann, tenant: 'b' }, { text: 'SELECT * FROM one.row' })).rows).toEqual([]);
});

test('the engine comes to the embedded server by its socket', async () => {
  const { rows } = await sessions.bare({ text: 'SELECT inet_client_addr()::text' });
  expect(rows).toEqual([[null]]);
});

test('a connection that broke while it lay at hand is not given out again', async () => {
  const pid = async (): Promise<string> =>
    (await sessions.bare({ text: 'SELECT pg_backend_pid()' })).rows[0]![0] as string;
  const before = await pid();
  expect(await pid()).toBe(before);
  await db.owner.query('SELECT pg_terminate_backend($1, 5000)', [before]);
  // Until its end is heard of it may be given out once more.
  await expect.poll(() => pid().catch(() => before)).not.toBe(before);
});

test('nor one that broke in use', async () => {
  const own = { text: 'SELECT pg_terminate_backend(pg_backend_pid())' };
  for (let n = 0; n < 5; n += 1) {
    await expect(sessions.bare(own)).rejects.toThrow();
    expect((await sessions.bare({ text: 'SELECT 1' })).rows).toEqual([['1']]);
    await expect(sessions.alone(ann, own)).rejects.toThrow();
    expect((await sessions.read(ann, { text: 'SELECT 1' })).rows).toEqual([['1']]);
    await expect(sessions.write(ann, (tx) => tx.run(own))).rejects.toThrow();
    expect((await sessions.read(ann, { text: 'SELECT 1' })).rows).toEqual([['1']]);
  }
});
