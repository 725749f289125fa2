import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { addSource } from '#cdc';
import { eventually } from '#tests/eventually';
import {
  ENTITIES,
  type Entity,
  fieldRight,
  mayDo,
  principalOf,
  type Role,
  TENANTS,
} from './testing/vault.ts';
import { CASES, FIELDS, idsOf, vaultHub } from './testing/vault-hub.ts';

const vault = vaultHub();
const { rest, graphql, seen, clean } = vault;

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
    for (const row of vault.facts[entity].filter((_, index) => index % 4 === 0)) {
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
    const foreign = vault.facts[entity].find((row) => row.tenant === other)!;
    const one = await graphql(role, tenant, `query ($id: ID!) { ${ROOTS[entity].one}(id: $id) { id } }`, {
      id: foreign.id,
    });
    expect(one.json.data?.[ROOTS[entity].one] ?? null).toBeNull();
  });

  test.each(ENTITIES)(
    'SQL as the engine’s login: row-level security alone shows the same rows of %s',
    async (entity) => {
      const client = new pg.Client({ connectionString: vault.hub.appsLogin });
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
  await addSource(vault.hub.pool, vault.hub.log, {
    name: 'business',
    kind: 'postgres',
    url: vault.hub.database,
    tables: ['vault.*'],
  });
  await eventually(async () => {
    const { rows } = await vault.hub.pool.query<{ n: number }>(
      "SELECT count(*)::int AS n FROM bac.tables WHERE source = 'business' AND state = 'streaming'",
    );
    return rows[0]!.n >= 5 || undefined;
  }, 60_000);
  const abort = new AbortController();
  const streams = await Promise.all(
    CASES.map(async ({ role, tenant }) => {
      const response = await fetch(`${vault.hub.url}/graphql`, {
        method: 'POST',
        signal: abort.signal,
        headers: {
          authorization: `Bearer ${vault.key(role, tenant)}`,
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
    await vault.hub.pool.query("UPDATE vault.deal SET updated_at = now() WHERE status <> 'none'");
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
