import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addSource } from '#cdc';
import { configSchema, type Principal, silentLogger } from '#kernel';
import type { SqlApi } from '#semantic';
import { eventually } from '#tests/eventually';
import {
  ENTITIES,
  type Entity,
  fieldRight,
  mayDo,
  maySee,
  principalOf,
  type Role,
  TENANTS,
} from '../../hub/http/records/testing/vault.ts';
import { CASES, FIELDS, vaultHub } from '../../hub/http/records/testing/vault-hub.ts';
import { type Answer, ask } from '../../hub/http/testing.ts';
import { createApiKey } from '../../hub/identity/index.ts';
import { startSql } from '../../hub/sql/index.ts';

/**
 * Nobody sees, counts, filters, sorts by or infers through the semantic layer what the app's permissions do not
 * let it: every role of both tenants, every cube and member, REST, GraphQL and SQL, against expectations written
 * by hand (`vault.ts`).
 */
const folder = mkdtempSync(join(tmpdir(), 'bac-test-model-'));
writeFileSync(
  join(folder, 'own.yaml'),
  `cubes:
  - name: own_deals
    extends: vault_deal
    measures: [{ name: margins, type: sum, sql: "{CUBE}.margin" }]
  - name: vault_deal
    measures: [{ name: amounts, type: sum, sql: "{CUBE}.amount" }]
  - name: own_names
    sql: SELECT id, name FROM {vault_deal(id, name)}
    dimensions: [{ name: id, type: number, sql: "{CUBE}.id", primary_key: true, public: true }]
    measures: [{ name: named, type: count }]
`,
);
const vault = vaultHub({ semantic: true, modelDir: folder });
const { rest, seen, clean } = vault;
let sql: SqlApi;
/** What the administrator's model has: `cube.member`. */
let members: readonly string[];
/** A second seller of the north: same profile, same tenant, other rows. */
const second: Principal = { ...principalOf('seller', 'north'), user: 'user2@north.example' };
let secondKey: string;
/** May write, not read. */
let writing: string;

const cubeOf = (entity: Entity): string => `vault_${entity}`;
const load = (role: Role, tenant: (typeof TENANTS)[number], query: object): Promise<Answer> =>
  rest(role, tenant, 'POST', '/cubejs-api/v1/load', { query });
const count = (entity: Entity): object => ({ measures: [`${cubeOf(entity)}.count`] });
const countIn = (answer: Answer, entity: Entity): number =>
  Number(answer.json.data[0]?.[`${cubeOf(entity)}.count`] ?? 0);
const clientOf = (password: string): pg.Client =>
  new pg.Client({ host: '127.0.0.1', port: sql.port, user: 'me', password, database: 'bac' });
const columnOf = (field: string): string => (field === 'owner' ? 'owner_id' : field);

/** The first answer to each question that is subscribed to. */
async function overSocket(
  key: string,
  questions: readonly { readonly id: string; readonly query: object }[],
): Promise<Map<string, Answer>> {
  const socket = new WebSocket(`${vault.hub.url.replace('http', 'ws')}/cubejs-api/v1/live`);
  const answers = new Map<string, Answer>();
  const all = new Promise<void>((resolve, reject) => {
    socket.addEventListener('error', reject);
    socket.addEventListener('close', reject);
    socket.addEventListener('message', ({ data }) => {
      const text = String(data);
      const { messageId, status, message } = JSON.parse(text);
      if (typeof messageId === 'string') answers.set(messageId, { status, text, json: message, headers: {} });
      if (answers.size === questions.length) resolve();
    });
  });
  await once(socket, 'open');
  socket.send(JSON.stringify({ authorization: key }));
  for (const { id, query } of questions)
    socket.send(JSON.stringify({ messageId: id, method: 'subscribe', params: { query } }));
  await all;
  socket.close();
  return answers;
}

beforeAll(async () => {
  const { hub } = vault;
  await addSource(hub.pool, hub.log, {
    name: 'business',
    kind: 'postgres',
    url: hub.database,
    tables: ['vault.*'],
  });
  await eventually(async () => {
    const tables = (await hub.registry.tables('business')).filter(({ table }) =>
      ENTITIES.includes(table as Entity),
    );
    return tables.length === ENTITIES.length && tables.every(({ state }) => state === 'streaming')
      ? true
      : undefined;
  }, 90_000);
  secondKey = await createApiKey(hub.pool, second);
  writing = await createApiKey(hub.pool, { ...second, scopes: ['write'] });
  sql = await startSql({
    config: { ...configSchema.parse({}).sql, port: 0 },
    pool: hub.pool,
    layer: hub.semantic!,
    logger: silentLogger(),
  });
  await eventually(async () => {
    const meta = await rest('admin', 'north', 'GET', '/cubejs-api/v1/meta');
    members = membersOf(meta);
    return ENTITIES.every((entity) => members.includes(`${cubeOf(entity)}.count`)) ? true : undefined;
  }, 60_000);
}, 240_000);
afterAll(async () => {
  await sql?.close();
  rmSync(folder, { recursive: true, force: true });
});

const membersOf = (meta: Answer): string[] =>
  (meta.json.cubes ?? []).flatMap(
    (cube: Record<'dimensions' | 'measures' | 'segments', { name: string }[]>) =>
      [...cube.dimensions, ...cube.measures, ...cube.segments].map(({ name }) => name),
  );

/** Hidden from the role: members of what it may not read, and of fields it is not shown. */
function isHidden(role: Role, member: string): boolean {
  const [cube, name] = member.split('.') as [string, string];
  const entity = ENTITIES.find((one) => cubeOf(one) === cube);
  if (!entity) return false;
  if (!mayDo(role, entity, 'read')) return true;
  return FIELDS[entity].some(
    (field) => fieldRight(role, entity, field) === 'hidden' && speaksOf(name, columnOf(field)),
  );
}
const speaksOf = (member: string, column: string): boolean =>
  member === column || member.startsWith(`${column}_`);

describe.each(CASES)('$role of $tenant', ({ role, tenant }) => {
  const other = TENANTS.find((one) => one !== tenant)!;
  const readable = ENTITIES.filter((entity) => mayDo(role, entity, 'read'));
  const cleanOfAll = (answer: Answer): void => {
    for (const entity of ENTITIES) clean(answer, role, tenant, entity);
  };

  test('the model has the members of what may be seen and no other', async () => {
    const meta = await rest(role, tenant, 'GET', '/cubejs-api/v1/meta');
    const shown = new Set(membersOf(meta));
    for (const member of members) if (isHidden(role, member)) expect(shown).not.toContain(member);
    for (const entity of readable) expect(shown).toContain(`${cubeOf(entity)}.count`);
    for (const entity of ENTITIES)
      for (const field of FIELDS[entity])
        if (mayDo(role, entity, 'read') && fieldRight(role, entity, field) === 'hidden')
          expect(meta.text, `${entity}.${field}`).not.toContain(`.${field}`);
    cleanOfAll(meta);
  });

  test('the company’s own cubes hold the same rules', async () => {
    const measured = async (member: string): Promise<number | null> => {
      const { status, json } = await load(role, tenant, { measures: [member] });
      return status === 200 ? Number(json.data[0]?.[member] ?? 0) : null;
    };
    const rows = seen(role, tenant, 'deal');
    const reads = mayDo(role, 'deal', 'read');
    const total = (field: 'margin' | 'amount'): number | null =>
      reads && fieldRight(role, 'deal', field) === 'full'
        ? rows.reduce((sum, row) => sum + Number(row[field]), 0)
        : null;
    const near = (value: number | null): unknown => (value === null ? null : expect.closeTo(value, 4));
    expect(await measured('own_deals.count')).toBe(reads ? rows.length : null);
    expect(await measured('own_deals.margins')).toEqual(near(total('margin')));
    expect(await measured('vault_deal.amounts')).toEqual(near(total('amount')));
    const named = reads && fieldRight(role, 'deal', 'name') === 'full';
    expect(await measured('own_names.named')).toBe(named ? rows.length : null);
  });

  test.each(ENTITIES)('%s: counts, groups and rows are those of the rules', async (entity) => {
    const answer = await load(role, tenant, count(entity));
    const expected = seen(role, tenant, entity);
    if (!mayDo(role, entity, 'read')) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      return cleanOfAll(answer);
    }
    expect(answer.status, answer.text).toBe(200);
    expect(countIn(answer, entity)).toBe(expected.length);
    const dimensions = members.filter(
      (member) =>
        member.startsWith(`${cubeOf(entity)}.`) &&
        !isHidden(role, member) &&
        ['id', ...FIELDS[entity].map(columnOf)].includes(member.split('.')[1]!),
    );
    for (const ungrouped of [true, false]) {
      const rows = await load(role, tenant, { dimensions, ungrouped, limit: 500 });
      expect(rows.status, rows.text).toBe(200);
      const ids = rows.json.data.map((row: Record<string, unknown>) => String(row[`${cubeOf(entity)}.id`]));
      expect(ids.sort()).toEqual(expected.map(({ id }) => id).sort());
      clean(rows, role, tenant, entity);
      for (const field of FIELDS[entity])
        if (fieldRight(role, entity, field) === 'masked')
          for (const row of rows.json.data)
            expect([null, '•••']).toContain(row[`${cubeOf(entity)}.${columnOf(field)}`]);
    }
    const total = await load(role, tenant, { dimensions: dimensions.slice(0, 1), limit: 1, total: true });
    if (total.json.total !== undefined) expect(Number(total.json.total)).toBeLessThanOrEqual(expected.length);
  });

  test('members that are hidden are not there, wherever they are written', async () => {
    const place = readable[0];
    const ask = (member: string): object[] => [
      { measures: [member] },
      { dimensions: [member] },
      ...(place
        ? [
            { ...count(place), filters: [{ member, operator: 'set' }] },
            { ...count(place), order: { [member]: 'asc' } },
            { ...count(place), segments: [member] },
            { ...count(place), timeDimensions: [{ dimension: member, granularity: 'day' }] },
            {
              ...count(place),
              filters: [
                {
                  or: [
                    { member, operator: 'gt', values: ['1'] },
                    { member, operator: 'notSet' },
                  ],
                },
              ],
            },
          ]
        : []),
    ];
    const hidden = members.filter((member) => isHidden(role, member));
    // One of each field and of each cube says the same as all of them.
    const tried = hidden.filter((member) => /\.(count|id|salary|margin|secret|title)$/.test(member));
    for (const member of tried) {
      const none = ask(member.replace(/\.(\w+)$/, '.no_such_member'));
      for (const [at, query] of ask(member).entries()) {
        const answer = await load(role, tenant, query);
        const unknown = await load(role, tenant, none[at]!);
        cleanOfAll(answer);
        // To order by what is not there is no order.
        if (at === 3) expect(answer.status).toBe(unknown.status);
        else expect(answer.status, `${member} ${at}: ${answer.text.slice(0, 300)}`).toBe(400);
        if (answer.status === 200) continue;
        const name = member.split('.')[1]!;
        const plain = (text: string): string =>
          text.replaceAll(new RegExp(`\\b(${name}|no_such_member)\\b`, 'g'), '?');
        expect(plain(answer.text), `${member} ${at}`).toBe(plain(unknown.text));
      }
    }
  });

  test('a masked value cannot be found by filtering', async () => {
    for (const entity of readable)
      for (const field of FIELDS[entity].filter((one) => fieldRight(role, entity, one) === 'masked'))
        for (const row of seen(role, tenant, entity).slice(0, 3))
          for (const operator of ['equals', 'contains', 'startsWith']) {
            const member = `${cubeOf(entity)}.${columnOf(field)}`;
            const filters = [{ member, operator, values: [String(row[field])] }];
            expect(countIn(await load(role, tenant, { ...count(entity), filters }), entity)).toBe(0);
          }
  });

  test('what is bound cannot be given, and texts stay texts', async () => {
    const entity = readable[0];
    if (!entity) return;
    const expected = seen(role, tenant, entity).length;
    const query = encodeURIComponent(JSON.stringify(count(entity)));
    const given = await rest(
      role,
      tenant,
      'GET',
      `/cubejs-api/v1/load?query=${query}&param_bac_tenant=${other}&bac_tenant=${other}`,
    );
    if (given.status === 200) expect(countIn(given, entity)).toBe(expected);
    const headed = await ask(vault.hub, 'POST', '/cubejs-api/v1/load', {
      key: vault.key(role, tenant),
      headers: { 'x-bac-tenant': other },
      body: { query: count(entity), params: { bac_tenant: other }, securityContext: { tenant: other } },
    });
    if (headed.status === 200) expect(countIn(headed, entity)).toBe(expected);
    for (const text of [`{bac_tenant:String}`, `' OR 1=1 --`, `\\' OR tenant_id = '${other}`, `?`, `$1`]) {
      const filters = [{ member: `${cubeOf(entity)}.id`, operator: 'equals', values: [text] }];
      const answer = await load(role, tenant, { ...count(entity), filters });
      if (answer.status === 200) expect(countIn(answer, entity)).toBe(0);
      cleanOfAll(answer);
    }
  });

  test('the SQL shown holds no tenant and no value of anybody', async () => {
    for (const entity of readable) {
      const answer = await rest(role, tenant, 'POST', '/cubejs-api/v1/sql', { query: count(entity) });
      expect(answer.status, answer.text).toBe(200);
      cleanOfAll(answer);
      expect(answer.text).not.toContain(`'${other}'`);
    }
  });

  test('GraphQL has the same cubes and members', async () => {
    for (const entity of ENTITIES) {
      const answer = await rest(role, tenant, 'POST', '/cubejs-api/graphql', {
        query: `{ cube { ${cubeOf(entity)} { count } } }`,
      });
      cleanOfAll(answer);
      if (mayDo(role, entity, 'read'))
        expect(Number(answer.json.data.cube[0]?.[cubeOf(entity)].count ?? 0)).toBe(
          seen(role, tenant, entity).length,
        );
      else expect(answer.json.errors ?? answer.json.error).toBeTruthy();
      for (const field of FIELDS[entity].filter((one) => fieldRight(role, entity, one) === 'hidden')) {
        const attempt = await rest(role, tenant, 'POST', '/cubejs-api/graphql', {
          query: `{ cube(orderBy: { ${cubeOf(entity)}: { ${field}: asc } }) { ${cubeOf(entity)} { ${field} } } }`,
        });
        expect(attempt.json.errors ?? attempt.json.error, field).toBeTruthy();
        cleanOfAll(attempt);
      }
    }
  });

  test('the websocket has the same answers, and the same refusals', async () => {
    const answers = await overSocket(
      vault.key(role, tenant),
      ENTITIES.flatMap((entity) => [
        { id: `count ${entity}`, query: count(entity) },
        ...FIELDS[entity].map((field) => ({
          id: `${entity} ${field}`,
          query: { ...count(entity), dimensions: [`${cubeOf(entity)}.${columnOf(field)}`] },
        })),
      ]),
    );
    for (const answer of answers.values()) cleanOfAll(answer);
    for (const entity of ENTITIES) {
      const answer = answers.get(`count ${entity}`)!;
      if (!mayDo(role, entity, 'read')) expect(answer.status).toBe(400);
      else expect(countIn(answer, entity)).toBe(seen(role, tenant, entity).length);
      for (const field of FIELDS[entity].filter((one) => fieldRight(role, entity, one) === 'hidden'))
        expect(answers.get(`${entity} ${field}`)!.status, field).toBe(400);
    }
  });

  test('the SQL API has the same tables, columns and rows', async () => {
    const client = clientOf(vault.key(role, tenant));
    await client.connect();
    const texts: string[] = [];
    const run = async (text: string): Promise<pg.QueryResult | null> => {
      try {
        const result = await client.query(text);
        texts.push(JSON.stringify(result.rows));
        return result;
      } catch (error) {
        texts.push(String((error as Error).message));
        return null;
      }
    };
    try {
      const catalogue = await run(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_name LIKE 'vault%'",
      );
      const columns = new Set(catalogue!.rows.map((row) => `${row.table_name}.${row.column_name}`));
      for (const member of members) if (isHidden(role, member)) expect(columns).not.toContain(member);
      for (const entity of ENTITIES) {
        const cube = cubeOf(entity);
        const counted = await run(`SELECT count(*) AS n FROM ${cube}`);
        if (mayDo(role, entity, 'read'))
          expect(Number(counted!.rows[0].n), entity).toBe(seen(role, tenant, entity).length);
        else expect(counted, entity).toBeNull();
        for (const field of FIELDS[entity].filter((one) => fieldRight(role, entity, one) === 'hidden')) {
          expect(await run(`SELECT ${field} FROM ${cube}`), field).toBeNull();
          expect(await run(`SELECT count(*) FROM ${cube} WHERE ${field} IS NOT NULL`), field).toBeNull();
          expect(await run(`SELECT id FROM ${cube} ORDER BY ${field}`), field).toBeNull();
        }
        if (mayDo(role, entity, 'read')) await run(`SELECT * FROM ${cube}`);
      }
      await run("SELECT obj_description(c.oid), relname FROM pg_class c WHERE relname LIKE 'vault%'");
    } finally {
      await client.end();
    }
    const answer = { status: 200, headers: {}, text: texts.join('\n'), json: null };
    cleanOfAll(answer);
  });
});

test('a key without the right to read asks nothing, nor does a wrong one', async () => {
  await expect(clientOf(writing).connect()).rejects.toMatchObject({ code: '42501' });
  await expect(clientOf(`${writing.slice(0, -1)}-`).connect()).rejects.toMatchObject({ code: '28P01' });
  const answer = await ask(vault.hub, 'POST', '/cubejs-api/v1/load', {
    key: writing,
    body: { query: count('deal') },
  });
  expect(answer.status).toBe(403);
});

test('principals of one profile never get each other’s answer from the cache, one after or beside another', async () => {
  for (const entity of ['deal', 'person', 'deal_line'] as const)
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(
        CASES.filter(({ role }) => mayDo(role, entity, 'read')).map(async ({ role, tenant }) => {
          const answer = await load(role, tenant, count(entity));
          return [`${role} ${tenant}`, countIn(answer, entity), seen(role, tenant, entity).length] as const;
        }),
      );
      for (const [who, got, expected] of answers) expect([who, got]).toEqual([who, expected]);
    }
  const mine = vault.facts.deal.filter((row) => row.tenant === 'north' && row.owner === second.user).length;
  expect(maySee('seller', 'north', 'deal', vault.facts.deal[0]!, vault.facts)).toBe(true);
  const theirs = await ask(vault.hub, 'POST', '/cubejs-api/v1/load', {
    key: secondKey,
    body: { query: { measures: ['vault_deal.count'], dimensions: ['vault_deal.owner_id'] } },
  });
  expect(theirs.json.data.map((row: Record<string, string>) => Number(row['vault_deal.count']))).toEqual([
    mine,
  ]);
  const first = await load('seller', 'north', {
    measures: ['vault_deal.count'],
    dimensions: ['vault_deal.owner_id'],
  });
  expect(first.json.data[0]['vault_deal.owner_id']).not.toBe(theirs.json.data[0]['vault_deal.owner_id']);
});
