import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { testClickHouse } from '#tests/clickhouse';
import { startContainer } from '#tests/container';
import { eventually } from '#tests/eventually';
import { runBac } from '#tests/hub';
import { testPostgres } from '#tests/postgres';
import { DASHBOARDS, FOREIGN } from './dashboards.ts';

const OWNER = `${'0c'.repeat(6)}.${'o'.repeat(43)}`;
const FILES = new URL('../helm/bac-hub/files/', import.meta.url);

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly runbook: string };
}
const { groups } = parse(readFileSync(new URL('alerts.yaml', FILES), 'utf8')) as {
  groups: { rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

/** Words of PromQL that look like names and are none: functions, keywords, and labels after `by`. */
const WORDS =
  /^(sum|max|min|rate|increase|deriv|absent|label_replace|histogram_quantile|label_values|by|and|or|le|role|source|schema|table|instance|exported_instance|status|state|topic|capture|sink)$/;

/** Metric names in a query: what is left of it without strings, label selectors and groupings. */
function metricsIn(query: string): string[] {
  const bare = query
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\bby \([^)]*\)/g, '')
    .replace(/\[[^\]]*\]/g, '');
  return [...new Set(bare.match(/[A-Za-z_:][A-Za-z0-9_:]*/g) ?? [])].filter((word) => !WORDS.test(word));
}

const queries = [
  ...rules.map((rule) => rule.expr),
  ...DASHBOARDS.flatMap((dashboard) => [
    ...Object.values(dashboard.variables ?? {}),
    ...dashboard.rows.flatMap((row) => row.panels.flatMap((panel) => Object.values(panel.queries))),
  ]),
];

test('every metric in a dashboard or an alert is one that a running hub gives, or a listed one of another exporter', async () => {
  await using postgres = await testPostgres();
  await using clickhouse = await testClickHouse();
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-metrics-'));
  chmodSync(dir, 0o755);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const environment = {
    BAC_STATE_DIR: dir,
    BAC_POSTGRES_URL: postgres.url,
    BAC_CLICKHOUSE_URL: clickhouse.url,
    BAC_CLICKHOUSE_USER: clickhouse.user,
    BAC_CLICKHOUSE_PASSWORD: clickhouse.password,
  };
  const api = stack.use(startContainer('api', { ...environment, BAC_OWNER_KEY: OWNER }));
  const roles = stack.use(startContainer('capture,sink,worker', environment));
  await Promise.all([api.ready(), roles.ready()]);
  // One table that streams, so that the figures of sources and tables are there.
  const client = new pg.Client(postgres.url);
  await client.connect();
  await client.query('CREATE TABLE public.t (id int PRIMARY KEY)');
  await client.query('INSERT INTO public.t VALUES (1)');
  await client.end();
  const added = await runBac(['connect', 'add', 'shop', '--url', postgres.url, '--tables', 't', '--wait'], {
    BAC_URL: await api.url,
    BAC_KEY: OWNER,
  });
  expect(added, added.stderr).toMatchObject({ code: 0 });
  const figures = async (): Promise<string> => {
    const answer = await fetch(new URL('/metrics', await api.url), {
      headers: { authorization: `Bearer ${OWNER}` },
    });
    return `${await answer.text()}\n${(await roles.get('/metrics')).text}`;
  };
  // Samples, not only declarations: a gauge without a value would leave its panel empty.
  const given = (text: string): Set<string> =>
    new Set([...text.matchAll(/^([a-z_]\w*)(\{| )/gim)].map(([, name]) => name!));
  const wanted = [...new Set(queries.flatMap(metricsIn))].filter((name) => !FOREIGN.includes(name));
  expect(wanted.length).toBeGreaterThan(20);
  let missing: string[] = wanted;
  await eventually(
    async () => {
      const names = given(await figures());
      missing = wanted.filter((name) => !names.has(name));
      return missing.length === 0 ? true : undefined;
    },
    30_000,
    () => `nobody gives ${missing.join(', ')}`,
  );
}, 180_000);
