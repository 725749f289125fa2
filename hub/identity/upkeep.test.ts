import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { audit, configSchema, migrateState, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { testPostgres } from '#tests/postgres';
import { openSession } from './sessions.ts';
import { beginAttempt } from './throttle.ts';
import { startUpkeep } from './upkeep.ts';
import { addUser, findUser } from './users.ts';

const stack = new AsyncDisposableStack();
let pool: pg.Pool;
beforeAll(async () => {
  const server = stack.use(await testPostgres());
  pool = new pg.Pool({ connectionString: server.url });
  pool.on('error', () => {}); // its server is stopped while it ends
  stack.defer(() => pool.end());
  await migrateState(pool);
});
afterAll(() => stack.disposeAsync());

test('what is over is taken away, what is not stays', async () => {
  const config = configSchema.parse({ audit: { keepDays: 30 } });
  const life = config.identity.sessions;
  const rights = { tenant: null, roles: [], attributes: {}, scopes: [] };
  await addUser(pool, { kind: 'person', login: 'ann@a.example', name: 'Ann', ...rights });
  const user = (await findUser(pool, 'ann@a.example'))!;
  const from = { via: 'password', address: '203.0.113.7', agent: '' };
  for (let n = 0; n < 3; n += 1) await openSession(pool, user, from, life);
  const ids = (await pool.query<{ id: string }>('SELECT id FROM bac.sessions')).rows.map(({ id }) => id);
  await pool.query('UPDATE bac.sessions SET expires_at = now() WHERE id = $1', [ids[0]]);
  await pool.query("UPDATE bac.sessions SET seen_at = now() - interval '3 hours' WHERE id = $1", [ids[1]]);
  await beginAttempt(pool, 'old@a.example', '203.0.113.8');
  await pool.query("UPDATE bac.sign_in_failures SET failed_at = now() - interval '2 days'");
  await beginAttempt(pool, 'new@a.example', '203.0.113.9');
  await pool.query(
    `INSERT INTO bac.oidc_logins (state, issuer, nonce, verifier, expires_at)
     VALUES ('a', 'i', 'n', 'v', now() - interval '1 second'), ('b', 'i', 'n', 'v', now() + interval '1 minute')`,
  );
  await audit(pool, { principal: null, surface: 'test', action: 'new', outcome: 'ok' });
  await pool.query(
    `INSERT INTO bac.audit (id, at, actor, surface, action, outcome)
     VALUES (gen_random_uuid(), now() - interval '31 days', 'ann', 'test', 'old', 'ok')`,
  );
  const upkeep = startUpkeep({ pool, config, logger: silentLogger() });
  const left = async (): Promise<unknown> =>
    (
      await pool.query(
        `SELECT (SELECT array_agg(id) FROM bac.sessions) AS sessions,
           (SELECT count(*)::int FROM bac.sign_in_failures) AS failures,
           (SELECT array_agg(state) FROM bac.oidc_logins) AS logins,
           (SELECT array_agg(action) FROM bac.audit) AS entries`,
      )
    ).rows[0];
  const wanted = { sessions: [ids[2]], failures: 2, logins: ['b'], entries: ['new'] };
  await eventually(
    async () => (JSON.stringify(await left()) === JSON.stringify(wanted) ? true : undefined),
    10_000,
  );
  await upkeep.stop();
  expect(await left()).toEqual(wanted);
});
