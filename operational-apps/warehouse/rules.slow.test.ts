import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Principal } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { byName } from '../definitions/index.ts';
import { applyPlan, planApps } from '../planner/index.ts';
import { entityPolicies } from '../planner/policies.ts';
import { createWarehouseAccess } from './index.ts';
import { createShopTables, shopApps, shopTables } from './testing/shop.ts';

/**
 * Row-level security of PostgreSQL and the filters of the warehouse, made from one definition, let the same
 * principals see the same rows.
 */
let server: TestPostgres;
let engine: TestClickHouse;
let client: pg.Client;

type Values = Record<string, unknown>;
const number = fc.oneof(fc.constant(null), fc.integer({ min: -3, max: 3 }));
const word = fc.oneof(fc.constant(null), fc.constantFrom('', 'a', 'ab', 'b', 'ba'));
const flag = fc.constantFrom(true, false, null);
const person = fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 4 }));
const rowsOf: Readonly<Record<string, fc.Arbitrary<Values>>> = {
  deal: fc.record({
    t: word,
    u: word,
    i: number,
    j: number,
    n: fc.constantFrom(null, '0.0000', '0.5000', '-1.2500', '2.0000'),
    f: flag,
    d: fc.constantFrom(null, '2026-01-31', '2026-02-28'),
    at: fc.constantFrom(null, '2026-01-31 23:30:00', '2026-02-28 00:00:00.123456', '2199-01-01 00:00:00'),
    tags: fc.constantFrom(null, [], ['a'], ['a', 'b']),
    owner_id: person,
  }),
  part: fc.record({ deal_id: fc.integer({ min: 1, max: 14 }), amount: number }),
  line: fc.record({ deal_id: fc.integer({ min: 1, max: 14 }), amount: number, ok: flag, by_id: person }),
  note: fc.record({
    text: word,
    deal_id: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 14 })),
    author_id: person,
    any_type: fc.constantFrom('shop.deal', 'shop.person'),
    any_id: fc.integer({ min: 1, max: 4 }),
  }),
};
const PEOPLE: readonly Values[] = [
  { email: 'ann@x', grade: 1, lead_id: null },
  { email: 'bob@x', grade: null, lead_id: 1 },
  { email: 'cem@x', grade: 2, lead_id: 2 },
  { email: 'dan@x', grade: 5, lead_id: 1 },
];

beforeAll(async () => {
  [server, engine] = await Promise.all([testPostgres(), testClickHouse()]);
  client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await applyPlan(client, await planApps(client, shopApps('true')));
  await createShopTables(engine.warehouse);
  await insert('person', 'a', PEOPLE);
  for (const [table, count] of [
    ['deal', 14],
    ['part', 20],
    ['line', 30],
    ['note', 14],
  ] as const)
    await insert(table, 'a', fc.sample(rowsOf[table]!, { numRuns: count, seed: 3 }));
  // Another tenant's rows, under keys of their own, that point to the first one's: foreign keys do not let it.
  await client.query('SET session_replication_role = replica');
  await insert('person', 'b', [{ email: 'ann@x', grade: 1, lead_id: 1 }], 100);
  await insert('deal', 'b', fc.sample(rowsOf.deal!, { numRuns: 4, seed: 5 }), 100);
  await insert('note', 'b', fc.sample(rowsOf.note!, { numRuns: 6, seed: 5 }), 100);
}, 120_000);
afterAll(async () => {
  await client?.end();
  await Promise.all([server?.[Symbol.asyncDispose](), engine?.[Symbol.asyncDispose]()]);
});

async function insert(table: string, tenant: string, rows: readonly Values[], from = 0): Promise<void> {
  const kept: Values[] = [];
  for (const [at, row] of rows.entries()) {
    const all = {
      id: from + at + 1,
      tenant_id: tenant,
      ...row,
      ...(table === 'part' ? { position: at + 1 } : {}),
    };
    const names = Object.keys(all);
    await client.query(
      `INSERT INTO shop.${table} (${names.map((name) => `"${name}"`)}) VALUES (${names.map((_, n) => `$${n + 1}`)})`,
      Object.values(all),
    );
    const tags = 'tags' in row && row.tags === null ? { tags: [], _raw: { tags: 'NULL' } } : {};
    const now = { ...all, ...tags, _version: 2, _deleted: 0 };
    // What was before the last change, and a row that was deleted, are not seen.
    kept.push(now, { ...now, _version: 1, tenant_id: tenant === 'a' ? 'b' : 'a' });
    kept.push({ ...now, id: 5000 + from + at, _version: 1 });
    kept.push({ ...now, id: 5000 + from + at, _version: 2, _deleted: 1 });
  }
  const body = Buffer.from(kept.map((row) => JSON.stringify(row)).join('\n'));
  await engine.warehouse.insert(`INSERT INTO business.shop_${table}`, 'JSONEachRow', body, {
    settings: { input_format_skip_unknown_fields: 1 },
  });
}

const text = (...words: string[]): fc.Arbitrary<string> => fc.constantFrom(...words);
const rules = fc.letrec<{ number: string; text: string; boolean: string }>((tie) => ({
  number: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    text('i', 'j', 'n', '0', '1', '2', '0.5', '-1.25', 'owner.grade', 'owner.lead.grade'),
    text(
      'sum(line.amount)',
      'sum(line.amount * i, line.ok)',
      'count(line, line.amount > 0)',
      'max(line.amount)',
      'min(line.by.grade)',
      'avg(line.amount, line.ok)',
      'count(note[deal])',
      "count(note[deal], note[deal].author.email = 'ann@x')",
      'count(note[any])',
    ),
    fc.tuple(tie('number'), text('+', '-', '*'), tie('number')).map((parts) => `(${parts.join(' ')})`),
    fc.tuple(tie('number'), text('0', '2', '4')).map(([a, by]) => `(${a} / ${by})`),
    tie('number').map((a) => `(- ${a})`),
    fc
      .tuple(text('coalesce', 'least', 'greatest', 'nullif'), tie('number'), tie('number'))
      .map(([name, a, b]) => `${name}(${a}, ${b})`),
    fc.tuple(text('floor', 'ceil', 'abs', 'round'), tie('number')).map(([name, a]) => `${name}(${a})`),
    tie('number').map((a) => `round(${a}, 1)`),
    fc.tuple(tie('boolean'), tie('number'), tie('number')).map((parts) => `if(${parts.join(', ')})`),
    tie('text').map((a) => `length(${a})`),
    text('days_between(d, at)', 'days_between(date(at), d)'),
  ),
  text: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    text('t', 'u', "''", "'a'", "'it''s'", 'owner.email', 'owner.lead.email', '$user', '$attributes.region'),
    text('min(note[deal].text)', 'status', "'' || d", "'' || i", 'concat(t, f, at, i)').filter(
      (one) => one !== 'status',
    ),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) => `(${a} || ${b})`),
    fc.tuple(text('upper', 'lower'), tie('text')).map(([name, a]) => `${name}(${a})`),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) => `coalesce(${a}, ${b})`),
  ),
  boolean: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    text(
      'f',
      "tags contains 'b'",
      'tags contains t',
      'tags is null',
      'any(line.ok)',
      'any(line)',
      'all(line.ok)',
      'any(line.amount > i)',
      'all(line.amount > i)',
      'any(note[deal].author.email = $user)',
      'any(note[deal].text = t)',
      'any(note[any])',
      'owner is null',
      'owner.lead is null',
      'owner.email is null',
      'owner.email = $user',
      'owner.lead.email = $user',
      'owner.email != $user',
      "owner.email in ('ann@x', $user)",
      "owner.email not in ('ann@x', $user)",
      'owner.lead.email contains $attributes.region',
      't = $attributes.region',
      '$attributes.region is null',
      "$roles contains 'boss'",
      '$roles contains t',
      "$tenant = 'a'",
      'i in (1, j, 2)',
      'i not in (1, j)',
      'd < at',
      'at < now()',
      "d < '2026-02-01' and at = '2026-01-31T23:30:00Z'",
      "add(d, '-1w') < add(at, '30m')",
      'add(d, i) > $today',
      'starts_with(t, u)',
      'owner = owner.lead',
      'any(line.by = owner)',
    ),
    fc
      .tuple(tie('number'), text('=', '!=', '<', '<=', '>', '>='), tie('number'))
      .map((parts) => `(${parts.join(' ')})`),
    fc
      .tuple(tie('text'), text('=', '!=', '<', '>=', 'contains'), tie('text'))
      .map((parts) => `(${parts.join(' ')})`),
    fc.tuple(tie('boolean'), text('and', 'or'), tie('boolean')).map((parts) => `(${parts.join(' ')})`),
    tie('boolean').map((a) => `(not ${a})`),
    tie('number').map((a) => `(${a} is null)`),
  ),
}));

/** The rule's own table, that of its child rows, and one whose rule looks at a third. */
const ASKED = ['deal', 'part', 'note'];
const PEOPLE_ASKING: readonly Omit<Principal, 'tenant' | 'scopes'>[] = [
  { user: 'ann@x', roles: ['seller'], attributes: { region: 'a' } },
  { user: 'bob@x', roles: ['boss'], attributes: {} },
  { user: '', roles: ['seller'], attributes: { region: '' } },
  { user: 'dan@x', roles: ['clerk'], attributes: {} },
  { user: 'cem@x', roles: ['admin'], attributes: {} },
];
const PRINCIPALS: readonly Principal[] = PEOPLE_ASKING.flatMap((one) =>
  ['a', 'b'].map((tenant) => ({ ...one, tenant, scopes: ['read'] as const })),
);
const included = (roles: readonly string[]): string =>
  roles.includes('boss') ? 'boss,seller' : roles.join();

async function inPostgres(apps: ReturnType<typeof shopApps>, principal: Principal): Promise<Values> {
  const deal = apps[0]!.entities.find(({ name }) => name === 'deal')!;
  const wanted = entityPolicies(byName(apps), deal).find(({ definition }) =>
    definition.includes('FOR SELECT'),
  );
  await client.query('BEGIN');
  try {
    const { rows } = await client.query<{ policyname: string }>(
      "SELECT policyname FROM pg_policies WHERE schemaname = 'shop' AND tablename = 'deal' AND cmd = 'SELECT'",
    );
    for (const { policyname } of rows) await client.query(`DROP POLICY "${policyname}" ON shop.deal`);
    if (wanted) await client.query(`CREATE POLICY the_rule ON shop.deal ${wanted.definition}`);
    await client.query('SET LOCAL ROLE bac_app');
    await client.query(
      "SELECT set_config('bac.tenant', $1, true), set_config('bac.user', $2, true), set_config('bac.roles', $3, true), set_config('bac.attributes', $4, true)",
      [principal.tenant, principal.user, included(principal.roles), JSON.stringify(principal.attributes)],
    );
    const found: Values = {};
    for (const table of ASKED) {
      const answer = await client.query<{ id: number }>(`SELECT id::int FROM shop.${table} ORDER BY id`);
      found[table] = answer.rows.map(({ id }) => id);
    }
    return found;
  } finally {
    await client.query('ROLLBACK');
  }
}

async function inWarehouse(apps: ReturnType<typeof shopApps>, principal: Principal): Promise<Values> {
  const access = createWarehouseAccess({ apps, source: 'business', tables: shopTables });
  const profile = access.profileOf(principal);
  expect(access.unreadable(profile)).toEqual([]);
  const found: Values = {};
  for (const table of ASKED) {
    const filter = profile.tables.get(`business.shop.${table}`)?.filter;
    if (filter === undefined) found[table] = [];
    else {
      const rows = await engine.warehouse.query<{ id: number }>(
        `SELECT toInt32(id) AS id FROM business.shop_${table} FINAL WHERE _deleted = 0 AND (${filter}) ORDER BY business.shop_${table}.id`,
        { params: profile.params(principal) },
      );
      found[table] = rows.map(({ id }) => id);
    }
  }
  return found;
}

test('random rules let the same rows be seen in PostgreSQL and in the warehouse', async () => {
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(rules.boolean, fc.constantFrom(...PRINCIPALS), async (rule, principal) => {
      const apps = shopApps(rule);
      const expected = await inPostgres(apps, principal);
      seen += (expected.deal as number[]).length;
      expect(await inWarehouse(apps, principal)).toEqual(expected);
    }),
    {
      numRuns: 150,
      examples: [
        ['(1 / i) > 0 or (not (any(note[deal].text = t) and $roles contains t))', PRINCIPALS[4]!],
        ['avg(line.amount, line.ok) > 0 or any(line.amount > i)', PRINCIPALS[0]!],
      ],
    },
  );
  expect(seen).toBeGreaterThan(50);
});
