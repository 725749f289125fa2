import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { demoApps, fillDemo } from '#apps';
import { createApiKey } from '../../identity/index.ts';
import { type Answer, ask, type TestHub, testHub } from '../testing.ts';
import {
  APPS,
  fieldRight,
  mayDo,
  predicatesOf,
  principalOf,
  ROLES,
  rolesWith,
  SHIPPED,
  type Shipped,
  visibleIds,
} from './testing/shipped.ts';

/**
 * The matrix of leaks over the apps that come with the hub, filled by the demo: every role of every app, in
 * both tenants, over every entity, on every surface that reads.
 */
let hub: TestHub;
let tenants: readonly string[];
/** Of each tenant, somebody whose customers, leads and calls are only some of all. */
const users = new Map<string, string>();
const keys = new Map<string, string>();
const KINDS = [0, 1].flatMap((tenant) => ROLES.map((role) => ({ role, tenant })));
const told = new Map<string, Set<'some' | 'none' | 'all'>>();

beforeAll(async () => {
  hub = await testHub({ apps: await demoApps() });
  await fillDemo({ url: hub.database, seed: 11, orders: 400, until: new Date('2026-11-22T00:00:00Z') });
  const { rows } = await hub.pool.query<{ tenant: string; user: string }>(
    `SELECT DISTINCT ON (m.tenant_id) m.tenant_id AS tenant, m.email AS user FROM crm.team_member m
     ORDER BY m.tenant_id, (EXISTS (SELECT 1 FROM crm.lead WHERE owner_id = m.id))::int
       + (EXISTS (SELECT 1 FROM voice.recording r JOIN voice.call c ON c.id = r.call_id WHERE c.member_id = m.id))::int
       + (EXISTS (SELECT 1 FROM projects.task WHERE assignee_id = m.id))::int
       + (EXISTS (SELECT 1 FROM support.ticket t JOIN crm.account a ON a.id = t.customer_id WHERE a.owner_id = m.id))::int
       + (EXISTS (SELECT 1 FROM productivity.calendar_event WHERE organiser_id = m.id))::int DESC, m.id`,
  );
  tenants = rows.map(({ tenant }) => tenant);
  for (const { tenant, user } of rows) {
    await hub.pool.query(
      `UPDATE crm.account SET owner_id = (SELECT id FROM crm.team_member WHERE tenant_id = $1 AND email = $2)
       WHERE id IN ((SELECT customer_id FROM erp.sales_invoice WHERE tenant_id = $1 ORDER BY id LIMIT 1),
         (SELECT customer_id FROM support.ticket WHERE tenant_id = $1 ORDER BY id LIMIT 1))`,
      [tenant, user],
    );
    // The demo publishes all it writes: one that is not is somebody else's draft.
    await hub.pool.query(
      `UPDATE productivity.document SET status = 'draft' WHERE id = (SELECT min(d.id) FROM productivity.document d
       JOIN crm.team_member m ON m.id = d.owner_id WHERE d.tenant_id = $1 AND m.email <> $2)`,
      [tenant, user],
    );
    users.set(tenant, user);
    for (const role of ROLES)
      keys.set(`${role} ${tenant}`, await createApiKey(hub.pool, principalOf(role, tenant, user)));
  }
}, 180_000);
afterAll(() => hub?.[Symbol.asyncDispose]());

test('both tenants have rows of every entity', async () => {
  expect(tenants).toHaveLength(2);
  const bare: string[] = [];
  for (const entity of SHIPPED) {
    const { rows } = await hub.pool.query(`SELECT DISTINCT tenant_id FROM ${entity.table}`);
    if (rows.length < 2) bare.push(entity.path);
  }
  expect(bare).toEqual([]);
});

const sorted = (rows: readonly { readonly id: string }[]): string[] =>
  rows.map(({ id }) => id).sort((a, b) => Number(a) - Number(b));

describe.each(KINDS)('$role of tenant $tenant', ({ role, tenant: index }) => {
  const tenant = (): string => tenants[index]!;
  const user = (): string => users.get(tenant())!;
  const rest = (method: string, path: string, body?: unknown): Promise<Answer> =>
    ask(hub, method, path, {
      key: keys.get(`${role} ${tenant()}`)!,
      ...(body === undefined ? {} : { body }),
    });
  const visible = (entity: Shipped): Promise<string[]> =>
    visibleIds(hub.pool, role, entity, tenant(), user());

  test.each(APPS)('%s: lists, figures, files and GraphQL show the rows of the rules', async (app) => {
    for (const entity of SHIPPED.filter((one) => one.app === app)) {
      const ids = await visible(entity);
      const predicates = predicatesOf(role, entity);
      if (predicates && !entity.parent) {
        const all = await visibleIds(hub.pool, 'admin', entity, tenant(), user());
        for (const one of predicates) {
          const kind = ids.length === 0 ? 'none' : ids.length === all.length ? 'all' : 'some';
          told.set(one, (told.get(one) ?? new Set()).add(kind));
        }
      }
      await showsRows(entity, ids);
    }
  });

  async function showsRows(entity: Shipped, ids: readonly string[]): Promise<void> {
    const path = `/api/v1/records/${entity.app}/${entity.name}`;
    const list = await rest('GET', `${path}?first=500&count=true&sort=id`);
    const figures = await rest('POST', `${path}/aggregate`, { measures: ['count'] });
    const file = await rest(
      'GET',
      `/api/v1/export/${entity.app}/${entity.name}?format=csv&sort=id&fields=id`,
    );
    const root = await roots();
    const many = root.get(entity.path)!;
    const graph = await rest('POST', '/graphql', {
      query: `{ ${many}(first: 100) { totalCount nodes { id } } }`,
    });
    if (mayDo(role, entity, 'read')) {
      expect(sorted(list.json.records), entity.path).toEqual(ids.slice(0, 500));
      expect(list.json.total, entity.path).toBe(Math.min(ids.length, 10_000));
      expect(Number(figures.json.rows[0].count), entity.path).toBe(ids.length);
      expect(graph.json.errors, entity.path).toBeUndefined();
      expect(ids, entity.path).toEqual(expect.arrayContaining(sorted(graph.json.data[many].nodes)));
      expect(graph.json.data[many].totalCount, entity.path).toBe(Math.min(ids.length, 10_000));
      for (const field of entity.fields) {
        const right = fieldRight(role, entity, field);
        for (const record of list.json.records)
          if (right === 'hidden') expect(record).not.toHaveProperty([field]);
          else expect(record, `${entity.path}.${field}`).toHaveProperty([field]);
      }
    } else
      for (const answer of [list, figures])
        expect([answer.status, answer.json.error.code], entity.path).toEqual([403, 'PERMISSION_DENIED']);
    if (mayDo(role, entity, 'read') && mayDo(role, entity, 'export')) {
      const [, ...lines] = file.text.trim().split(/\r?\n/);
      expect(sorted(lines.map((id) => ({ id }))), entity.path).toEqual(ids);
    } else expect([file.status, file.json.error.code], entity.path).toEqual([403, 'PERMISSION_DENIED']);
  }

  test('closed fields are not filtered, sorted, grouped, summed, selected or exported by', async () => {
    for (const entity of SHIPPED.filter((one) => mayDo(role, one, 'read')))
      for (const field of entity.fields) {
        const right = fieldRight(role, entity, field);
        if (right === 'full') continue;
        const path = `/api/v1/records/${entity.app}/${entity.name}`;
        const filter = encodeURIComponent(JSON.stringify({ not: { [field]: { isNull: true } } }));
        const attempts = [
          await rest('GET', `${path}?filter=${filter}`),
          await rest('GET', `${path}?sort=${field}`),
          await rest('POST', `${path}/aggregate`, { measures: ['count'], by: [field] }),
          await rest('POST', `${path}/aggregate`, { measures: [`max:${field}`] }),
          ...(right === 'hidden' ? [await rest('GET', `${path}?fields=${field}`)] : []),
        ];
        for (const [at, attempt] of attempts.entries())
          expect([attempt.status, attempt.json.error?.code], `${entity.path}.${field} attempt ${at}`).toEqual(
            [403, 'FIELD_DENIED'],
          );
      }
  });

  test('records of the other tenant and those outside the rules are not there, however one asks', async () => {
    const other = tenants[1 - index]!;
    for (const entity of SHIPPED) {
      const mine = new Set(await visible(entity));
      const { rows } = await hub.pool.query<{ id: string; title: string | null }>(
        `(SELECT id::text, ${titleOf(entity)} AS title FROM ${entity.table} WHERE tenant_id = $1 ORDER BY id LIMIT 1)
         UNION ALL (SELECT id::text, ${titleOf(entity)} FROM ${entity.table} WHERE tenant_id = $2 AND NOT id = ANY ($3::bigint[]) ORDER BY id LIMIT 1)`,
        [other, tenant(), [...mine]],
      );
      const path = `/api/v1/records/${entity.app}/${entity.name}`;
      const none = await rest('GET', `${path}/999999999`);
      for (const { id, title } of rows) {
        const one = await rest('GET', `${path}/${id}`);
        expect(one.status, entity.path).toBe(mayDo(role, entity, 'read') ? 404 : 403);
        expect({ ...one.json.error, message: '' }).toEqual({ ...none.json.error, message: '' });
        if (!entity.searched || title === null) continue;
        const found = await rest(
          'GET',
          `/api/v1/search?limit=100&entities=${entity.path}&text=${encodeURIComponent(title.split(/\s+/).slice(0, 3).join(' '))}`,
        );
        if (found.status !== 200) expect(found.json.error.code).toBe('PERMISSION_DENIED');
        else for (const hit of found.json.hits) expect(mine, `${entity.path} ${title}`).toContain(hit.id);
      }
    }
  });

  test('SQL as the engine’s login shows the same rows: row-level security holds alone', async () => {
    const client = new pg.Client({ connectionString: hub.appsLogin });
    await client.connect();
    try {
      await client.query('BEGIN; SET LOCAL ROLE bac_app');
      await client.query(
        "SELECT set_config('bac.tenant', $1, true), set_config('bac.user', $2, true), set_config('bac.roles', $3, true)",
        [tenant(), user(), [...rolesWith(role), 'everyone'].join(',')],
      );
      for (const entity of SHIPPED) {
        const { rows } = await client.query<{ id: string }>(`SELECT id::text FROM ${entity.table}`);
        expect(sorted(rows), entity.path).toEqual(await visible(entity));
      }
    } finally {
      await client.end();
    }
  });
});

test('every predicate was seen to let some rows through and to hold some back', () => {
  expect([...told].filter(([, kinds]) => !kinds.has('some')).map(([text]) => text)).toEqual([]);
});

const titleOf = (entity: Shipped): string =>
  entity.titleField !== undefined && entity.fields.includes(entity.titleField)
    ? `"${entity.titleField}"::text`
    : 'NULL::text';

/** Names of the lists in GraphQL, as the schema tells an administrator. */
let listed: Promise<ReadonlyMap<string, string>> | undefined;
function roots(): Promise<ReadonlyMap<string, string>> {
  listed ??= (async () => {
    const answer = await ask(hub, 'POST', '/graphql', {
      key: keys.get(`admin ${tenants[0]}`)!,
      body: { query: '{ __schema { queryType { fields { name type { name ofType { name } } } } } }' },
    });
    const names: { name: string; type: { name: string | null; ofType: { name: string } | null } }[] =
      answer.json.data.__schema.queryType.fields;
    return new Map(
      SHIPPED.map((entity) => {
        const type = `${entity.app}_${entity.name}`.replace(/(^|_)(.)/g, (_, __, letter: string) =>
          letter.toUpperCase(),
        );
        const found = names.find((one) => (one.type.name ?? one.type.ofType?.name) === `${type}Connection`);
        return [entity.path, found?.name ?? type];
      }),
    );
  })();
  return listed;
}
