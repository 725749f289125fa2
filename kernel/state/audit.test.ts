import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { testPostgres } from '#tests/postgres';
import { type AuditEntry, audit, auditSettled, pruneAudit } from './audit.ts';
import { migrateState } from './migrate.ts';

const stack = new AsyncDisposableStack();
let url: string;
let pool: pg.Pool;
beforeAll(async () => {
  const server = stack.use(await testPostgres());
  url = server.url;
  pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on('error', () => {}); // its server is stopped while it ends
  stack.defer(() => pool.end());
  await migrateState(pool);
});
afterAll(() => stack.disposeAsync());
beforeEach(() => pool.query('TRUNCATE bac.audit'));

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  principal: { tenant: 'aurora', user: 'ann' },
  surface: 'test',
  action: 'look',
  outcome: 'ok',
  ...more,
});
const count = async (): Promise<number> =>
  (await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM bac.audit')).rows[0]!.n;

test('what was awaited is stored; what was not is, once settled; many share a statement', async () => {
  await audit(pool, entry({ record: 'one' }));
  expect(await count()).toBe(1);
  let statements = 0;
  const counted = new pg.Pool({ connectionString: url, max: 1 });
  counted.on('error', () => {}); // its server is stopped while it ends
  counted.on('acquire', () => {
    statements += 1;
  });
  const all = Array.from({ length: 999 }, (_, n) => audit(counted, entry({ record: String(n) })));
  await auditSettled(counted);
  await Promise.all(all);
  await counted.end();
  expect(await count()).toBe(1000);
  expect(statements).toBeLessThanOrEqual(6);
});

test('odd text harms neither its entry nor its neighbours', async () => {
  const odd = 'nul \u0000, half a pair \ud800, \\u0000';
  await Promise.all([
    audit(pool, entry({ record: odd, details: { odd } })),
    audit(pool, entry({ action: 'x'.repeat(5000), details: { long: 'x'.repeat(10_000) } })),
    audit(pool, entry({ principal: null, actor: 'unknown', tenant: 'kestrel' })),
  ]);
  const { rows } = await pool.query('SELECT * FROM bac.audit ORDER BY action, actor');
  expect(rows.map(({ actor, tenant }) => [actor, tenant])).toEqual([
    ['ann', 'aurora'],
    ['unknown', 'kestrel'],
    ['ann', 'aurora'],
  ]);
  expect(rows[0].details.odd).toBe('nul , half a pair \ufffd, \\u0000');
  expect([rows[2].action.length, rows[2].details]).toEqual([300, null]);
});

test('a connection that is lost on the way costs nothing and doubles nothing', async () => {
  const own = new pg.Pool({ connectionString: url, max: 1, application_name: 'audit under test' });
  own.on('error', () => {}); // its server is stopped while it ends
  own.on('error', () => undefined);
  const all: Promise<void>[] = [];
  for (let n = 0; n < 2000; n += 1) {
    all.push(audit(own, entry({ record: String(n) })));
    if (n % 500 === 0)
      await pool.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'audit under test'",
      );
  }
  await Promise.all(all);
  await own.end();
  expect(await count()).toBe(2000);
});

test('a database that is away: bounded, and told', async () => {
  const away = new pg.Pool({ connectionString: 'postgres://a:b@127.0.0.1:1/c' });
  away.on('error', () => {}); // its server is stopped while it ends
  const all = Array.from({ length: 5_100 }, () => audit(away, entry()).catch((error) => error.code));
  const codes = await Promise.all(all);
  expect(codes.filter((code) => code === 'AUDIT_BUSY').length).toBe(100);
  expect(codes.filter((code) => code === 'AUDIT_LOST').length).toBe(5_000);
  await away.end();
});

test('nothing is changed, and only old entries are taken away', async () => {
  await audit(pool, entry());
  await expect(pool.query("UPDATE bac.audit SET actor = 'somebody else'")).rejects.toThrow(/append-only/);
  await expect(pool.query('DELETE FROM bac.audit')).rejects.toThrow(/append-only/);
  await pool.query(
    `INSERT INTO bac.audit (id, at, actor, surface, action, outcome)
     SELECT gen_random_uuid(), now() - n * interval '1 day', 'ann', 'test', 'look', 'ok' FROM generate_series(1, 12000) n`,
  );
  expect(await pruneAudit(pool, 30)).toBe(12_000 - 29);
  expect(await count()).toBe(30);
});
