import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseApps } from '#apps';
import { addSource } from '#cdc';
import { eventually } from '#tests/eventually';
import { addTenant, createApiKey } from '../../identity/index.ts';
import { type Answer, ask, type TestHub, testHub } from '../testing.ts';
import {
  ENTITIES,
  type Entity,
  type Facts,
  fieldRight,
  fillVault,
  markOf,
  mayDo,
  maySee,
  principalOf,
  ROLES,
  type Role,
  type Row,
  TENANTS,
  type Tenant,
} from './testing/vault.ts';

const FILE = fileURLToPath(new URL('testing/vault.app.yaml', import.meta.url));
const [APP] = parseApps([{ file: 'vault.app.yaml', content: readFileSync(FILE, 'utf8') }]);
const FIELDS: Readonly<Record<Entity, readonly string[]>> = {
  person: ['name', 'email', 'salary'],
  deal: ['name', 'region', 'amount', 'margin', 'contact', 'secret', 'status'],
  deal_line: ['title', 'price'],
  memo: ['title'],
  ledger: ['title'],
};
const CASES = TENANTS.flatMap((tenant) => ROLES.map((role) => ({ tenant, role })));

let hub: TestHub;
let facts: Facts;
const keys = new Map<string, string>();
const keyOf = (role: Role, tenant: Tenant): string => keys.get(`${role} ${tenant}`)!;

beforeAll(async () => {
  hub = await testHub({ apps: [APP!] });
  for (const tenant of TENANTS) await addTenant(hub.pool, { id: tenant, name: tenant });
  for (const { role, tenant } of CASES)
    keys.set(`${role} ${tenant}`, await createApiKey(hub.pool, principalOf(role, tenant)));
  facts = await fillVault(hub.pool);
}, 120_000);
afterAll(() => hub[Symbol.asyncDispose]());

const seen = (role: Role, tenant: Tenant, entity: Entity): Row[] =>
  facts[entity].filter((row) => maySee(role, tenant, entity, row, facts));
const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map((row) => row.id).sort();
const rest = (role: Role, tenant: Tenant, method: string, path: string, body?: unknown): Promise<Answer> =>
  ask(hub, method, path, { key: keyOf(role, tenant), ...(body === undefined ? {} : { body }) });
const graphql = (role: Role, tenant: Tenant, query: string, variables: object = {}): Promise<Answer> =>
  rest(role, tenant, 'POST', '/graphql', { query, variables });

/** Nothing of the other tenant, and no field that is hidden, anywhere in an answer. */
function clean(answer: Answer, role: Role, tenant: Tenant, entity: Entity): void {
  const other = TENANTS.find((one) => one !== tenant)!;
  expect(answer.text).not.toContain(markOf(other));
  expect(answer.text).not.toContain(`@${other}.example`);
  for (const field of FIELDS[entity]) {
    const right = fieldRight(role, entity, field);
    if (right === 'full') continue;
    for (const row of facts[entity])
      if (row.tenant === tenant && typeof row[field] === 'string' && String(row[field]).length > 3)
        expect(answer.text, `${field} of ${entity}`).not.toContain(`"${row[field]}"`);
  }
}

describe.each(CASES)('$role of $tenant', ({ role, tenant }) => {
  const other = TENANTS.find((one) => one !== tenant)!;

  test.each(ENTITIES)('REST: list, get, count, search and figures of %s', async (entity) => {
    const expected = seen(role, tenant, entity);
    const path = `/api/v1/records/vault/${entity}`;
    const list = await rest(role, tenant, 'GET', `${path}?first=500&count=true`);
    if (!mayDo(role, entity, 'read')) {
      expect([list.status, list.json.error?.code]).toEqual([403, 'PERMISSION_DENIED']);
    } else {
      clean(list, role, tenant, entity);
      expect(idsOf(list.json.records)).toEqual(idsOf(expected));
      expect(list.json.total).toBe(expected.length);
      const figures = await rest(role, tenant, 'POST', `${path}/aggregate`, { measures: ['count'] });
      expect(Number(figures.json.rows[0].count)).toBe(expected.length);
    }
    const visible = new Set(idsOf(expected));
    for (const row of facts[entity].filter((_, index) => index % 4 === 0)) {
      const one = await rest(role, tenant, 'GET', `${path}/${row.id}`);
      clean(one, role, tenant, entity);
      if (visible.has(row.id)) expect(one.status).toBe(200);
      else expect([403, 404]).toContain(one.status);
      if (!visible.has(row.id) && mayDo(role, entity, 'read')) {
        const none = await rest(role, tenant, 'GET', `${path}/999999999`);
        expect({ ...one.json.error, message: '' }).toEqual({ ...none.json.error, message: '' });
      }
    }
    const search = await rest(
      role,
      tenant,
      'GET',
      `/api/v1/search?text=mark&limit=100&entities=vault.${entity}`,
    );
    if (search.status === 200) {
      clean(search, role, tenant, entity);
      for (const hit of search.json.hits) expect(visible.has(hit.id)).toBe(true);
    }
  });

  test.each(ENTITIES)(
    'fields of %s one has no right to are not filtered, sorted, grouped or summed by',
    async (entity) => {
      if (!mayDo(role, entity, 'read')) return;
      const path = `/api/v1/records/vault/${entity}`;
      for (const field of FIELDS[entity]) {
        const isClosed = fieldRight(role, entity, field) !== 'full';
        const isNumber = ['salary', 'amount', 'margin', 'price'].includes(field);
        const attempts = [
          await rest(role, tenant, 'GET', `${path}?${field}=1`),
          await rest(
            role,
            tenant,
            'GET',
            `${path}?filter=${encodeURIComponent(JSON.stringify({ not: { [field]: { isNull: true } } }))}`,
          ),
          await rest(role, tenant, 'GET', `${path}?sort=${field}`),
          await rest(role, tenant, 'GET', `${path}?sort=-${field}`),
          await rest(role, tenant, 'POST', `${path}/aggregate`, { measures: ['count'], by: [field] }),
          await rest(role, tenant, 'POST', `${path}/aggregate`, { measures: [`max:${field}`] }),
          ...(isNumber
            ? [await rest(role, tenant, 'POST', `${path}/aggregate`, { measures: [`sum:${field}`] })]
            : []),
        ];
        for (const [index, attempt] of attempts.entries()) {
          clean(attempt, role, tenant, entity);
          if (isClosed)
            expect([attempt.status, attempt.json.error?.code], `${field} attempt ${index}`).toEqual([
              403,
              'FIELD_DENIED',
            ]);
          else if (index !== 5)
            expect(attempt.status, `${field} attempt ${index}: ${attempt.text}`).toBeLessThan(401);
        }
        const chosen = await rest(role, tenant, 'GET', `${path}?fields=${field}&first=500`);
        clean(chosen, role, tenant, entity);
      }
    },
  );

  test('a denied field is not reached through a reference, a child table or what points back', async () => {
    const attempts = [
      await rest(role, tenant, 'GET', '/api/v1/records/vault/deal?owner.salary.gte=0'),
      await rest(role, tenant, 'GET', '/api/v1/records/vault/memo?deal.margin.gte=0'),
      await graphql(
        role,
        tenant,
        '{ vaultDeals(filter: { owner: { salary: { gte: "0" } } }) { totalCount } }',
      ),
      await graphql(
        role,
        tenant,
        '{ vaultMemos(filter: { deal: { secret: { contains: "mark" } } }) { totalCount } }',
      ),
      await graphql(
        role,
        tenant,
        '{ vaultDeals(first: 500) { nodes { id name margin secret contact owner { name email salary } lines { title price } memos { nodes { title } } } } }',
      ),
      await graphql(
        role,
        tenant,
        '{ vaultMemos(first: 500) { nodes { title deal { name margin secret owner { salary } } about { ... on VaultDeal { margin secret } } } } }',
      ),
    ];
    for (const answer of attempts) {
      clean(answer, role, tenant, 'deal');
      clean(answer, role, tenant, 'person');
    }
    if (role !== 'admin' && role !== 'manager')
      for (const [index, answer] of attempts.slice(0, 2).entries()) {
        const isReadable = mayDo(role, index === 0 ? 'deal' : 'memo', 'read');
        expect(answer.json.error.code).toBe(isReadable ? 'FIELD_DENIED' : 'PERMISSION_DENIED');
      }
  });

  test.each(ENTITIES)('GraphQL: %s shows the same rows, whatever is asked for', async (entity) => {
    const many = ROOTS[entity].many;
    const list = await graphql(role, tenant, `{ ${many}(first: 500) { totalCount nodes { id } } }`);
    clean(list, role, tenant, entity);
    if (mayDo(role, entity, 'read')) {
      expect(idsOf(list.json.data[many].nodes)).toEqual(idsOf(seen(role, tenant, entity)));
      expect(list.json.data[many].totalCount).toBe(seen(role, tenant, entity).length);
    } else expect(list.json.errors[0].extensions.code).toBe('PERMISSION_DENIED');
    const foreign = facts[entity].find((row) => row.tenant === other)!;
    const one = await graphql(role, tenant, `query ($id: ID!) { ${ROOTS[entity].one}(id: $id) { id } }`, {
      id: foreign.id,
    });
    expect(one.json.data?.[ROOTS[entity].one] ?? null).toBeNull();
  });

  test.each(ENTITIES)('writing %s: only what may be, and never another tenant’s', async (entity) => {
    const path = `/api/v1/records/vault/${entity}`;
    const text = FIELDS[entity][0]!;
    for (const row of facts[entity].filter((_, index) => index % 5 === 0)) {
      const isMine = maySee(role, tenant, entity, row, facts);
      const before = await hub.pool.query(`SELECT * FROM vault.${entity} WHERE id = $1`, [row.id]);
      const answers = [
        ...(isMine && mayDo(role, entity, 'update')
          ? []
          : [await rest(role, tenant, 'PATCH', `${path}/${row.id}`, { [text]: 'stolen' })]),
        ...(isMine && mayDo(role, entity, 'delete')
          ? []
          : [await rest(role, tenant, 'DELETE', `${path}/${row.id}`)]),
        ...(isMine && mayDo(role, entity, 'update')
          ? []
          : [
              await rest(role, tenant, 'POST', `${path}/${row.id}/transitions/won`, {}),
              await rest(role, tenant, 'POST', `${path}/${row.id}/comments`, { text: 'stolen' }),
              await rest(role, tenant, 'POST', '/api/v1/records/bulk', {
                operations: [
                  { op: 'update', entity: `vault.${entity}`, id: row.id, values: { [text]: 'stolen' } },
                ],
              }),
              await rest(role, tenant, 'POST', '/api/v1/records/bulk', {
                operations: [{ op: 'delete', entity: `vault.${entity}`, id: row.id }],
              }),
            ]),
      ];
      for (const answer of answers) {
        clean(answer, role, tenant, entity);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
      const after = await hub.pool.query(`SELECT * FROM vault.${entity} WHERE id = $1`, [row.id]);
      expect(after.rows).toEqual(before.rows);
      for (const kind of ['timeline', 'attachments']) {
        const answer = await rest(role, tenant, 'GET', `${path}/${row.id}/${kind}`);
        // Of a record that is not there, nothing has happened.
        if (!isMine && answer.status === 200)
          expect(answer.json.entries ?? answer.json.attachments).toEqual([]);
        clean(answer, role, tenant, entity);
      }
    }
  });

  test.each(ENTITIES)(
    'files: what is exported of %s is what may be seen, and nothing is imported without the right',
    async (entity) => {
      for (const format of ['csv', 'parquet', 'xlsx']) {
        const file = await rest(
          role,
          tenant,
          'GET',
          `/api/v1/export/vault/${entity}?format=${format}&sort=id`,
        );
        clean(file, role, tenant, entity);
        if (!mayDo(role, entity, 'export')) {
          expect([file.status, file.json?.error.code]).toEqual([403, 'PERMISSION_DENIED']);
        } else {
          expect(file.status).toBe(200);
          if (format === 'csv') {
            const ids = file.text
              .trim()
              .split('\r\n')
              .join('\n')
              .split('\n')
              .slice(1)
              .map((line) => ({ id: line.split(',')[0]! }));
            expect(idsOf(ids)).toEqual(idsOf(seen(role, tenant, entity)));
          }
        }
      }
      for (const [field, right] of FIELDS[entity].map((name) => [name, fieldRight(role, entity, name)])) {
        const file = await rest(role, tenant, 'GET', `/api/v1/export/vault/${entity}?fields=${field}`);
        clean(file, role, tenant, entity);
        if (right === 'hidden') expect(file.status).toBeGreaterThanOrEqual(400);
      }
      if (mayDo(role, entity, 'import')) return;
      const before = await hub.pool.query(`SELECT count(*) FROM vault.${entity}`);
      const refusedImport = await ask(hub, 'POST', `/api/v1/import/vault/${entity}`, {
        key: keyOf(role, tenant),
        headers: { 'content-type': 'application/octet-stream' },
        body: `${FIELDS[entity][0]}\nstolen\n`,
      });
      expect([refusedImport.status, refusedImport.json.error.code]).toEqual([403, 'PERMISSION_DENIED']);
      expect((await hub.pool.query(`SELECT count(*) FROM vault.${entity}`)).rows).toEqual(before.rows);
    },
  );

  test('an import changes no record of another tenant, nor one outside the row rule', async () => {
    if (!mayDo(role, 'deal', 'import')) return;
    const invisible = facts.deal.filter((row) => !maySee(role, tenant, 'deal', row, facts)).slice(0, 5);
    const answer = await ask(hub, 'POST', '/api/v1/import/vault/deal', {
      key: keyOf(role, tenant),
      headers: { 'content-type': 'application/octet-stream' },
      body: `id,name\n${invisible.map((row) => `${row.id},stolen`).join('\n')}\n`,
    });
    const result = JSON.parse(answer.text.trim().split('\n').at(-1)!);
    expect(result).toMatchObject({ type: 'result', failed: invisible.length, updated: 0, created: 0 });
    expect((await hub.pool.query("SELECT 1 FROM vault.deal WHERE name = 'stolen'")).rows).toEqual([]);
  });

  test('new records stay in the tenant, within the row rule, without fields one may not write', async () => {
    const foreignPerson = facts.person.find((row) => row.tenant === other)!;
    const me = facts.person.find(
      (row) => row.tenant === tenant && row.email === principalOf(role, tenant).user,
    );
    const somebody = facts.person.find((row) => row.tenant === tenant && row.id !== me?.id)!;
    const deal = (owner: string, more: object = {}) => ({
      name: 'made',
      owner,
      region: 'coast',
      amount: '1.00',
      ...more,
    });
    const path = '/api/v1/records/vault/deal';
    const toOther = await rest(role, tenant, 'POST', path, deal(foreignPerson.id));
    expect(toOther.status).toBeGreaterThanOrEqual(400);
    clean(toOther, role, tenant, 'deal');
    const smuggled = await rest(role, tenant, 'POST', path, deal(somebody.id, { tenant_id: other }));
    expect(smuggled.status).toBeGreaterThanOrEqual(400);
    const forSomebody = await rest(role, tenant, 'POST', path, deal(somebody.id));
    if (['manager', 'admin'].includes(role)) expect(forSomebody.status).toBe(201);
    // A person one may not see is one that is not there.
    else expect(forSomebody.json.error.code).toMatch(/^(PERMISSION_DENIED|REFERENCE_UNKNOWN)$/);
    if (role === 'seller') {
      expect((await rest(role, tenant, 'POST', path, deal(me!.id))).status).toBe(201);
      for (const closed of ['margin', 'secret', 'approved']) {
        const answer = await rest(
          role,
          tenant,
          'POST',
          path,
          deal(me!.id, { [closed]: closed === 'approved' ? true : '1' }),
        );
        expect([answer.status, answer.json.error.code], closed).toEqual([403, 'FIELD_DENIED']);
      }
    }
    await hub.pool.query("DELETE FROM vault.deal WHERE name = 'made'");
  });

  test.each(ENTITIES)(
    'SQL as the engine’s login: row-level security alone shows the same rows of %s',
    async (entity) => {
      const client = new pg.Client({ connectionString: hub.appsLogin });
      await client.connect();
      try {
        expect((await client.query(`SELECT id FROM vault.${entity}`).catch(refused)).rows).toEqual([]);
        await client.query('BEGIN; SET LOCAL ROLE bac_app');
        const me = principalOf(role, tenant);
        await client.query(
          "SELECT set_config('bac.tenant', $1, true), set_config('bac.user', $2, true), set_config('bac.roles', $3, true), set_config('bac.attributes', $4, true)",
          [tenant, me.user, rolesSetting(role), JSON.stringify(me.attributes)],
        );
        const { rows } = await client.query<{ id: string }>(`SELECT id FROM vault.${entity}`);
        expect(idsOf(rows)).toEqual(idsOf(seen(role, tenant, entity)));
        const changed = await client
          .query(`UPDATE vault.${entity} SET updated_at = updated_at WHERE tenant_id = $1`, [other])
          .catch(refused);
        expect(changed.rowCount ?? 0).toBe(0);
        await client.query('ROLLBACK; BEGIN; SET LOCAL ROLE bac_app');
        await client.query(
          "SELECT set_config('bac.tenant', $1, true), set_config('bac.roles', $2, true), set_config('bac.user', $3, true)",
          [tenant, rolesSetting(role), me.user],
        );
        const moved = await client
          .query(`UPDATE vault.${entity} SET tenant_id = $1 WHERE tenant_id = $2`, [other, tenant])
          .catch(refused);
        expect(moved.rowCount ?? 0).toBe(0);
      } finally {
        await client.query('ROLLBACK').catch(refused);
        await client.end();
      }
    },
  );
});

const refused = () => ({ rows: [], rowCount: 0 });
/** As the engine sets them: roles that are included are written out. */
const rolesSetting = (role: Role): string =>
  role === 'none' ? 'everyone' : role === 'manager' ? 'manager,seller,everyone' : `${role},everyone`;

const ROOTS: Readonly<Record<Entity, { one: string; many: string }>> = {
  person: { one: 'vaultPerson', many: 'vaultPersons' },
  deal: { one: 'vaultDeal', many: 'vaultDeals' },
  deal_line: { one: 'vaultDealLine', many: 'vaultDealLines' },
  memo: { one: 'vaultMemo', many: 'vaultMemos' },
  ledger: { one: 'vaultLedger', many: 'vaultLedgers' },
};

test('subscriptions tell each only of what it may see', async () => {
  await addSource(hub.pool, hub.log, {
    name: 'business',
    kind: 'postgres',
    url: hub.database,
    tables: ['vault.*'],
  });
  await eventually(async () => {
    const { rows } = await hub.pool.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM bac.tables WHERE source = 'business' AND state = 'streaming'",
    );
    return rows[0]!.n >= 5 || undefined;
  }, 60_000);
  const abort = new AbortController();
  const streams = await Promise.all(
    CASES.map(async ({ role, tenant }) => {
      const response = await fetch(`${hub.url}/graphql`, {
        method: 'POST',
        signal: abort.signal,
        headers: {
          authorization: `Bearer ${keyOf(role, tenant)}`,
          'content-type': 'application/json',
          accept: 'text/event-stream',
        },
        body: JSON.stringify({ query: 'subscription { vaultDealChanged { kind id record { id name } } }' }),
      });
      const taken = { role, tenant, text: '' };
      const reading = (async () => {
        for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) taken.text += chunk;
      })().catch(() => undefined);
      return { ...taken, taken, reading };
    }),
  );
  const admins = streams.filter((one) => one.role === 'admin');
  await eventually(async () => {
    await hub.pool.query("UPDATE vault.deal SET updated_at = now() WHERE status <> 'none'");
    return (
      admins.every(({ taken, tenant }) =>
        seen('admin', tenant, 'deal').every((row) => taken.text.includes(`"id":"${row.id}"`)),
      ) || undefined
    );
  }, 60_000);
  // What the admins have been told of has been looked at for the others as well, or is right behind.
  for (const { role, tenant, taken } of streams) {
    const mine = mayDo(role, 'deal', 'read') ? seen(role, tenant, 'deal') : [];
    await eventually(
      async () => mine.every((row) => taken.text.includes(`"id":"${row.id}"`)) || undefined,
      20_000,
    );
    const told = new Set([...taken.text.matchAll(/"id":"(\d+)"/g)].map((match) => match[1]!));
    expect([...told].sort(), `${role} of ${tenant}`).toEqual(idsOf(mine));
    if (!mayDo(role, 'deal', 'read')) expect(taken.text).toContain('PERMISSION_DENIED');
  }
  abort.abort();
  await Promise.all(streams.map((one) => one.reading));
});
