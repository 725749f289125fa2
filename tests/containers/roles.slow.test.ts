import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { startContainer, type TestContainer } from '#tests/container';
import { eventually } from '#tests/eventually';
import { runBac } from '#tests/hub';
import { type TestPostgres, testPostgres } from '#tests/postgres';

/**
 * The roles as containers run them: each a process of its own, one PostgreSQL, one ClickHouse, given
 * by URL, and one log, here in a shared folder.
 */
const OWNER = `${'0a'.repeat(6)}.${'o'.repeat(43)}`;
const METRICS = `${'0b'.repeat(6)}.${'m'.repeat(43)}`;

let postgres: TestPostgres;
let clickhouse: TestClickHouse;
let pool: pg.Pool;
const dir = mkdtempSync(join(tmpdir(), 'bac-test-containers-'));
chmodSync(dir, 0o755);

beforeAll(async () => {
  postgres = await testPostgres();
  clickhouse = await testClickHouse();
  pool = new pg.Pool({ connectionString: postgres.url, max: 3 });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool?.end();
  await clickhouse?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const environment = (stateDir = join(dir, 'shared')): Record<string, string> => ({
  BAC_STATE_DIR: stateDir,
  BAC_POSTGRES_URL: postgres.url,
  BAC_CLICKHOUSE_URL: clickhouse.url,
  BAC_CLICKHOUSE_USER: clickhouse.user,
  BAC_CLICKHOUSE_PASSWORD: clickhouse.password,
});

/** Names of metrics that a page of Prometheus text holds. */
const namesIn = (text: string): string[] => [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!);

test('capture, two sinks and the api started at once on nothing: one migrates, all become ready, data flows, a killed sink is replaced', async () => {
  await pool.query('CREATE TABLE public.orders (id int PRIMARY KEY, note text)');
  await pool.query('INSERT INTO public.orders SELECT n, $1 FROM generate_series(1, 100) n', ['before']);
  await using stack = new AsyncDisposableStack();
  const keys = { BAC_OWNER_KEY: OWNER, BAC_METRICS_KEY: METRICS };
  const start = (roles: string, env: Record<string, string> = {}): TestContainer =>
    stack.use(startContainer(roles, { ...environment(), ...env }));
  const [api, capture, one, two] = [start('api', keys), start('capture'), start('sink'), start('sink')];
  await Promise.all([api, capture, one, two].map((container) => container.ready()));

  // Every instance has a name of its own.
  const instances = async (): Promise<string[]> =>
    (
      await pool.query<{ instance: string }>(
        "SELECT instance FROM bac.role_stats WHERE role = 'sink' AND updated_at > now() - interval '3 seconds'",
      )
    ).rows.map((row) => row.instance);
  await eventually(async () => ((await instances()).length === 2 ? true : undefined), 10_000);

  // Commands reach the api with the deployment's key.
  const bac = async (...args: string[]) =>
    runBac(args, { BAC_URL: await api.url, BAC_KEY: OWNER, BAC_STATE_DIR: join(dir, 'nobody') });
  const added = await bac('connect', 'add', 'shop', '--url', postgres.url, '--tables', 'orders');
  expect(added, added.stderr).toMatchObject({ code: 0 });
  const count = async (): Promise<number> => {
    const rows = await clickhouse.warehouse
      .query<{ n: string }>('SELECT count() AS n FROM shop.orders FINAL WHERE _deleted = 0')
      .catch(() => []);
    return Number(rows[0]?.n ?? -1);
  };
  await eventually(
    async () => ((await count()) === 100 ? true : undefined),
    60_000,
    () => capture.output.join('\n'),
  );

  // What stands at /metrics: of a role its own figures, of the api everything, for a key.
  const figures = await one.get('/metrics');
  expect(namesIn(figures.text)).toEqual(
    expect.arrayContaining(['bac_sink_rows_total', 'bac_role_memory_bytes', 'bac_role_restarts_total']),
  );
  expect(figures.text).not.toMatch(/shop|orders/);
  expect(namesIn((await capture.get('/metrics')).text)).toContain('bac_capture_events_total');
  expect((await api.get('/metrics')).status).toBe(401);
  const scraped = await fetch(new URL('/metrics', await api.url), {
    headers: { authorization: `Bearer ${METRICS}` },
  });
  expect(namesIn(await scraped.text())).toContain('bac_table_freshness_seconds');

  // The sink that holds the table dies; the other one takes its partition over.
  await pool.query("INSERT INTO public.orders VALUES (101, 'between')");
  await eventually(async () => ((await count()) === 101 ? true : undefined), 30_000);
  const stored = async (container: TestContainer): Promise<number> =>
    Number(/^bac_sink_rows_total\S* (\d+)/m.exec((await container.get('/metrics')).text)?.[1] ?? 0);
  const busy = await eventually(
    async () => {
      const [a, b] = [await stored(one), await stored(two)];
      return a + b > 0 ? (a > b ? one : two) : undefined;
    },
    10_000,
    () => 'no sink says it stored anything',
  );
  busy.kill('SIGKILL');
  await busy.exited;
  await pool.query("INSERT INTO public.orders SELECT n, 'after' FROM generate_series(102, 300) n");
  await eventually(
    async () => ((await count()) === 300 ? true : undefined),
    60_000,
    () => `${count}`,
  );
  const other = busy === one ? two : one;
  await eventually(async () => ((await stored(other)) > 0 ? true : undefined), 10_000);

  // No secret in what they printed.
  const printed = [api, capture, one, two].flatMap((container) => container.output).join('\n');
  for (const secret of [
    OWNER,
    METRICS,
    OWNER.split('.')[1]!,
    clickhouse.password,
    new URL(postgres.url).password,
  ])
    expect(printed).not.toContain(secret);

  // SIGTERM ends each of them within 10 s, with nothing left running.
  const began = performance.now();
  for (const container of [api, capture, other]) container.kill('SIGTERM');
  expect(await Promise.all([api.exited, capture.exited, other.exited])).toEqual([0, 0, 0]);
  expect(performance.now() - began).toBeLessThan(10_000);
}, 240_000);

test('what a dead instance reported is forgotten a minute later', async () => {
  await pool.query(
    `INSERT INTO bac.role_stats (role, instance, data, updated_at) VALUES
       ('sink', 'gone', '{}', now() - interval '2 minutes'), ('sink', 'elsewhere', '{}', now())`,
  );
  await using worker = startContainer('worker', environment());
  await worker.ready();
  const { rows } = await pool.query<{ instance: string }>(
    "SELECT instance FROM bac.role_stats WHERE role = 'sink' AND instance IN ('gone', 'elsewhere')",
  );
  expect(rows).toEqual([{ instance: 'elsewhere' }]);
}, 60_000);

test('a role whose log is in a folder of its own is refused while the others use another log', async () => {
  await using first = startContainer('worker', environment());
  await first.ready();
  await using lost = startContainer('sink', environment(join(dir, 'not-shared')));
  expect(await lost.exited).toBe(1);
  const said = lost.output.join('\n');
  expect(said).toContain('LOG_NOT_SHARED');
  expect(said).toMatch(/log\.kafka|BAC_STATE_DIR/);
  expect(first.output.join('\n')).not.toContain('LOG_NOT_SHARED');
}, 60_000);

test('only the api listens on the web port: a taken one does not trouble a sink', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = taken.address() as { port: number };
    await using sink = startContainer('sink', { ...environment(), BAC_HTTP_PORT: String(port) });
    await sink.ready();
    expect((await sink.get('/')).status).toBe(404);
    expect((await sink.get('/api/v1/status')).status).toBe(404);
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
}, 60_000);

test('a database that is not there yet is waited for; SIGTERM meanwhile ends at once; a wrong password does not wait', async () => {
  const nobody = createServer();
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
  const { port } = nobody.address() as { port: number };
  await new Promise((resolve) => nobody.close(resolve));
  await using waiting = startContainer('sink', {
    ...environment(),
    BAC_POSTGRES_URL: `postgresql://a:b@127.0.0.1:${port}/bac`,
  });
  await eventually(
    async () => (waiting.output.some((line) => line.includes('not there yet')) ? true : undefined),
    20_000,
    () => waiting.output.join('\n'),
  );
  expect((await waiting.get('/healthz')).status).toBe(200);
  expect((await waiting.get('/readyz')).status).toBe(503);
  const began = performance.now();
  waiting.kill('SIGTERM');
  expect(await waiting.exited).toBe(0);
  expect(performance.now() - began).toBeLessThan(5_000);

  const wrong = new URL(postgres.url);
  wrong.password = 'wrong';
  await using refused = startContainer('sink', { ...environment(), BAC_POSTGRES_URL: wrong.toString() });
  expect(await refused.exited).toBe(1);
  expect(refused.output.join('\n')).toContain('SERVER_UNREACHABLE');
}, 60_000);

test('readiness follows the role: with its process killed it is not ready, then ready again; liveness stays', async () => {
  mkdirSync(join(dir, 'shared'), { recursive: true });
  await using sink = startContainer('sink', environment());
  await sink.ready();
  const { rows } = await pool.query<{ pid: number }>(
    "SELECT (data->>'pid')::int AS pid FROM bac.role_stats WHERE role = 'sink' ORDER BY updated_at DESC LIMIT 1",
  );
  process.kill(rows[0]!.pid, 'SIGKILL');
  await eventually(async () => ((await sink.get('/readyz')).status === 503 ? true : undefined), 5_000);
  expect((await sink.get('/healthz')).status).toBe(200);
  await sink.ready();
  expect((await sink.get('/metrics')).text).toMatch(/bac_role_restarts_total\{role="sink"\} 1/);
}, 60_000);

test('a state database that hangs is no reason to take the process for hung', async () => {
  await using sink = startContainer('sink', environment());
  await sink.ready();
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('LOCK TABLE bac.role_stats IN ACCESS EXCLUSIVE MODE');
    const used = async (): Promise<string | undefined> =>
      /^bac_role_cpu_seconds_total\S* (\S+)/m.exec((await sink.get('/metrics')).text)?.[1];
    let last = await used();
    for (let reports = 0; reports < 4; reports += 1)
      last = await eventually(
        async () => {
          const now = await used();
          return now !== last ? now : undefined;
        },
        10_000,
        () => 'the role says nothing any more',
      );
    expect((await sink.get('/healthz')).status).toBe(200);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}, 60_000);
