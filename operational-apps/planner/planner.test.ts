import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { type App, parseApps } from '../definitions/index.ts';
import { demoApps } from '../demo/index.ts';
import { applyPlan } from './apply.ts';
import { isWidening } from './change-column.ts';
import { planApps } from './plan.ts';

let server: TestPostgres;
let client: pg.Client;

beforeAll(async () => {
  server = await testPostgres();
  client = new pg.Client({ connectionString: server.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await server?.[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await client.query('DROP SCHEMA IF EXISTS shop CASCADE');
});

function shop(entities: string): App[] {
  const content = `app: { name: shop, label: Shop }\nentities:\n${entities.replace(/^/gm, '  ')}`;
  return parseApps([{ file: 'shop.yaml', content }]);
}
const item = (fields: string, more = ''): App[] =>
  shop(
    `item:\n  titleField: name\n${more}  fields:\n    name: { type: text, required: true }\n${fields.replace(/^/gm, '    ')}`,
  );

const kinds = async (apps: App[]): Promise<string[]> =>
  (await planApps(client, apps)).steps.map((step) => `${step.kind}: ${step.description}`);
const apply = async (apps: App[], confirmDestructive = false) =>
  applyPlan(client, await planApps(client, apps), { confirmDestructive });
const column = async (name: string, order = 'id'): Promise<unknown[]> =>
  (await client.query(`SELECT ${name} AS value FROM shop.item ORDER BY ${order}`)).rows.map(
    (row) => row.value,
  );
const addItem = (name: string, tenant = 't'): Promise<unknown> =>
  client.query('INSERT INTO shop.item (tenant_id, name) VALUES ($1, $2)', [tenant, name]);

test('the demo apps: a fresh database, then nothing left to do; every prefix of a plan can be gone on from', async () => {
  const apps = await demoApps();
  const plan = await planApps(client, apps);
  expect(plan.steps.every((step) => step.kind === 'additive')).toBe(true);
  await applyPlan(client, { steps: plan.steps.slice(0, 60) });
  const rest = await planApps(client, apps);
  expect(rest.steps.length).toBe(plan.steps.length - 60);
  await applyPlan(client, rest);
  expect((await planApps(client, apps)).steps).toEqual([]);
});

test('every field type with every kind of default comes back from the catalog unchanged', async () => {
  const apps = item(`
a: { type: text, default: "it's \\\\ here" }
b: { type: integer, default: -5 }
c: { type: decimal, precision: 10, scale: 3, default: "-1.5" }
d: { type: money, currency: EUR, default: 9.99 }
e: { type: boolean, default: false }
f: { type: date, default: $today }
g: { type: date, default: "2026-01-31" }
h: { type: dateTime, default: $now }
i: { type: dateTime, default: "2026-01-31T12:00:00Z" }
j: { type: select, options: { x: X, "it's": Y }, default: "it's" }
k: { type: multiSelect, options: { x: X, y: Y }, default: [x, y] }
l: { type: multiSelect, options: { x: X, y: Y }, default: [] }
m: { type: text, default: $currentUser }
n: { type: address }
o: { type: json }
p: { type: file }
q: { type: anyReference, entities: [shop.item] }
r: { type: integer, default: 5000000000 }
s: { type: email, unique: true }
t: { type: integer, default: -5000000000 }
v: { type: decimal, precision: 30, scale: 0, default: "99999999999999999999" }
w: { type: decimal, precision: 30, scale: 1, default: "-2147483649" }
u: { type: integer, computed: b * 2 + r }`);
  await apply(apps);
  expect(await kinds(apps)).toEqual([]);
  await client.query(
    "BEGIN; SET LOCAL bac.actor = 'ann'; INSERT INTO shop.item (tenant_id, name, u) VALUES ('t', 'one', 4999999990); COMMIT",
  );
  const { rows } = await client.query('SELECT a, b, c, d, i, k, m, created_by, version FROM shop.item');
  expect(rows[0]).toEqual({
    a: "it's \\ here",
    b: '-5',
    c: '-1.500',
    d: '9.99',
    i: new Date('2026-01-31T12:00:00Z'),
    k: ['x', 'y'],
    m: 'ann',
    created_by: 'ann',
    version: 1,
  });
  await expect(
    client.query("INSERT INTO shop.item (tenant_id, name, u) VALUES ('t', 'x', 1)"),
  ).rejects.toThrow('item_u_check');
  await expect(
    client.query("INSERT INTO shop.item (tenant_id, name, j, u) VALUES ('t', 'x', 'z', 4999999990)"),
  ).rejects.toThrow('item_j_check');
});

test('additive changes keep rows and need no confirmation', async () => {
  await apply(item('size: { type: decimal, precision: 6, scale: 2 }'));
  await addItem('one');
  const more = item(
    'size: { type: decimal, precision: 12, scale: 4, description: In metres. }\ncolor: { type: text, required: true, default: red, indexed: true }\ndouble: { type: decimal, precision: 12, scale: 2, computed: size * 2 }',
    '  numbering: { field: number, prefix: I-, digits: 4 }\n  states: { initial: new, list: { new: New, old: Old }, terminal: [old], transitions: [{ from: new, to: old }] }\n',
  );
  const { done, skipped } = await apply(more);
  expect(skipped).toEqual([]);
  expect(new Set(done.map((step) => step.kind))).toEqual(new Set(['additive', 'data']));
  expect(await kinds(more)).toEqual([]);
  const { rows } = await client.query('SELECT color, number, status FROM shop.item');
  expect(rows).toEqual([{ color: 'red', number: 'I-0001', status: 'new' }]);
  expect(
    (await client.query("SELECT last_value FROM shop.numbering_series WHERE series = 'item'")).rows,
  ).toEqual([{ last_value: '1' }]);
});

test('destructive steps wait for confirmation, and the database works without them', async () => {
  await apply(
    item('size: { type: integer, required: true, default: 1 }\ncode: { type: integer, required: true }'),
  );
  await client.query("INSERT INTO shop.item (tenant_id, name, size, code) VALUES ('t', 'one', 7, 8)");
  const less = item('size: { type: decimal, precision: 3, scale: 1 }');
  const { skipped } = await apply(less);
  expect(skipped.map((step) => step.description)).toEqual([
    'shop.item.size changes from bigint to numeric(3,1)',
    'shop.item.code is no longer defined',
  ]);
  expect(await column('code')).toEqual(['8']);
  await addItem('two');
  expect((await apply(less, true)).skipped).toEqual([]);
  expect(await column('size', 'name')).toEqual(['7.0', null]);
  await expect(column('code')).rejects.toThrow('does not exist');
  expect(await kinds(less)).toEqual([]);
});

test('an entity that is gone is dropped only on confirmation', async () => {
  await apply(
    shop(
      'item:\n  titleField: name\n  fields: { name: { type: text } }\nother:\n  titleField: name\n  fields: { name: { type: text } }',
    ),
  );
  const one = item('');
  await apply(one);
  expect((await planApps(client, one)).steps).toMatchObject([
    { kind: 'destructive', description: 'shop.other is no longer defined' },
  ]);
  await apply(one, true);
  expect(await kinds(one)).toEqual([]);
});

test('renames keep the rows, their references and rules', async () => {
  await apply(
    shop(
      'maker:\n  titleField: name\n  fields: { name: { type: text } }\nitem:\n  titleField: name\n  fields: { name: { type: text }, maker: { type: reference, entity: maker, required: true }, size: { type: select, options: { s: S } } }',
    ),
  );
  await client.query("INSERT INTO shop.maker (tenant_id, name) VALUES ('t', 'm')");
  await client.query(
    "INSERT INTO shop.item (tenant_id, name, maker_id, size) SELECT 't', 'i', id, 's' FROM shop.maker",
  );
  const renamed = shop(
    'brand:\n  renamedFrom: maker\n  titleField: title\n  fields: { title: { type: text, renamedFrom: name } }\nitem:\n  titleField: name\n  fields: { name: { type: text }, brand: { type: reference, entity: brand, required: true, renamedFrom: maker }, width: { type: select, options: { s: S }, renamedFrom: size } }',
  );
  const { done, skipped } = await apply(renamed);
  expect(skipped).toEqual([]);
  expect(done.some((step) => step.kind !== 'additive')).toBe(false);
  expect(await kinds(renamed)).toEqual([]);
  const { rows } = await client.query(
    'SELECT b.title, i.width FROM shop.item i JOIN shop.brand b ON b.id = i.brand_id',
  );
  expect(rows).toEqual([{ title: 'm', width: 's' }]);
  await expect(client.query('DELETE FROM shop.brand')).rejects.toThrow('violates foreign key');
});

test('rules of values, checks over own columns and required-if are constraints; set while others write', async () => {
  const before = item('size: { type: integer }\ncode: { type: text }\ndue: { type: date }');
  await apply(before);
  await addItem('one');
  const ruled = item(
    'size: { type: integer, min: 1, max: 9 }\ncode: { type: text, pattern: "^[A-Z]", minLength: 2, maxLength: 3, requiredIf: size > 5 }\ndue: { type: date, min: "2026-01-01", required: true, default: "2026-02-01" }',
    `  checks:\n    - { name: long, rule: length(code) = size, when: size < 9 and code is not null }\n`,
  );
  const plan = await planApps(client, ruled);
  expect(plan.steps.filter((step) => step.sql.includes('NOT VALID')).length).toBe(9);
  await applyPlan(client, plan);
  expect(await kinds(ruled)).toEqual([]);
  const write = (values: string) =>
    client.query(`INSERT INTO shop.item (tenant_id, name, size, code, due) VALUES ('t', 'x', ${values})`);
  await write("2, 'AB', '2026-01-01'");
  const refused = [
    ["0, null, '2026-01-01'", 'item_size_min_check'],
    ["10, 'ABC', '2026-01-01'", 'item_size_max_check'],
    ["1, 'aB', '2026-01-01'", 'item_code_pattern_check'],
    ["1, 'A', '2026-01-01'", 'item_code_min_length_check'],
    ["4, 'ABCD', '2026-01-01'", 'item_code_max_length_check'],
    ["6, null, '2026-01-01'", 'item_code_required_check'],
    ["3, 'AB', '2026-01-01'", 'item_long_check'],
    ["2, 'AB', '2025-01-01'", 'item_due_min_check'],
    ["2, 'AB', null", 'not-null'],
  ] as const;
  for (const [values, name] of refused) await expect(write(values)).rejects.toThrow(name);
});

test('a roll-up is filled when it is new or changed, in pieces, and what follows from it with it', async () => {
  const order = (total: string) =>
    shop(
      `item:\n  titleField: name\n  fields:\n    name: { type: text }\n    paid: { type: integer }\n    total: { type: integer, computed: "${total}" }\n    open: { type: integer, computed: total - paid }\n    parts: { type: childTable, entity: part }\npart:\n  fields: { amount: { type: integer } }`,
    );
  await apply(
    shop(
      'item:\n  titleField: name\n  fields:\n    name: { type: text }\n    paid: { type: integer }\n    parts: { type: childTable, entity: part }\npart:\n  fields: { amount: { type: integer } }',
    ),
  );
  await client.query(
    "INSERT INTO shop.item (id, tenant_id, name, paid) VALUES (1, 't', 'a', 2), (50000, 't', 'b', 0)",
  );
  await client.query(
    "INSERT INTO shop.part (tenant_id, item_id, position, amount) VALUES ('t', 1, 1, 5), ('t', 1, 2, 6), ('t', 50000, 1, 7)",
  );
  await apply(order('sum(parts.amount)'));
  expect(await column('total')).toEqual(['11', '7']);
  expect(await column('open')).toEqual(['9', '7']);
  expect(await kinds(order('sum(parts.amount)'))).toEqual([]);
  await apply(order('sum(parts.amount, parts.amount > 5)'));
  expect(await column('total')).toEqual(['6', '7']);
  expect(await column('open')).toEqual(['4', '7']);
});

test('a long reader does not stop a plan for good, and writers never queue behind its wait', async () => {
  await apply(item(''));
  await addItem('one');
  const [reader, watcher] = [new pg.Client(server.url), new pg.Client(server.url)];
  await Promise.all([reader.connect(), watcher.connect()]);
  try {
    await reader.query('BEGIN; SELECT * FROM shop.item');
    const applying = apply(item('size: { type: integer }'));
    const waiting =
      "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%ADD COLUMN%' AND pid <> pg_backend_pid()";
    await expect.poll(async () => (await watcher.query(waiting)).rowCount, { timeout: 10_000 }).toBe(1);
    // Queued behind a wait for the whole table, this would wait as long as the reader reads.
    await watcher.query("INSERT INTO shop.item (tenant_id, name) VALUES ('t', 'two')");
    await reader.query('COMMIT');
    await applying;
  } finally {
    await Promise.all([reader.end(), watcher.end()]);
  }
  expect(await kinds(item('size: { type: integer }'))).toEqual([]);
});

test('an index left invalid is made again', async () => {
  await apply(item(''));
  await addItem('one');
  const indexed = item('size: { type: integer, indexed: true }');
  await apply(indexed);
  await client.query(
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid::regclass::text LIKE 'shop.item_size_idx%'",
  );
  const { steps } = await planApps(client, indexed);
  expect(steps.map((step) => step.sql.replace(/_\w{8}"/g, '_#"'))).toEqual([
    'DROP INDEX "shop"."item_size_idx_#"',
    'CREATE INDEX CONCURRENTLY "item_size_idx_#" ON "shop"."item" ("tenant_id" ASC, "size" ASC, "id" ASC)',
  ]);
  await applyPlan(client, { steps });
  expect(await kinds(indexed)).toEqual([]);
});

test('rows of two tenants never meet: references stay inside a tenant, values are unique within one', async () => {
  const apps = item('code: { type: text, unique: true }\nparent: { type: reference, entity: item }');
  await apply(apps);
  await client.query(
    "INSERT INTO shop.item (tenant_id, name, code) VALUES ('a', 'one', 'c'), ('b', 'two', 'c')",
  );
  await expect(
    client.query("INSERT INTO shop.item (tenant_id, name, code) VALUES ('a', 'x', 'c')"),
  ).rejects.toThrow('duplicate key');
  await expect(
    client.query(
      "UPDATE shop.item SET parent_id = (SELECT id FROM shop.item WHERE tenant_id = 'b') WHERE tenant_id = 'a'",
    ),
  ).rejects.toThrow('violates foreign key');
});

test('the rows of a child table go with their parent', async () => {
  await apply(
    shop(
      'item:\n  titleField: name\n  fields: { name: { type: text }, parts: { type: childTable, entity: part } }\npart:\n  fields: { label: { type: text } }',
    ),
  );
  await addItem('one');
  await client.query(
    "INSERT INTO shop.part (tenant_id, item_id, position, label) SELECT 't', id, 1, 'p' FROM shop.item",
  );
  await client.query('DELETE FROM shop.item');
  expect((await client.query('SELECT 1 FROM shop.part')).rowCount).toBe(0);
});

test('a required field without default is refused where rows are, and named', async () => {
  await apply(item(''));
  await addItem('one');
  await expect(planApps(client, item('code: { type: text, required: true }'))).rejects.toMatchObject({
    code: 'PLAN_IMPOSSIBLE',
    disposition: 'user',
    message: 'shop.item.code is required, has no default, and the table already has rows.',
  });
});

test('a step the rows do not allow fails with its reason and can be gone on from', async () => {
  await apply(item('code: { type: text }'));
  await addItem('one');
  await client.query("UPDATE shop.item SET code = 'x'");
  await client.query("INSERT INTO shop.item (tenant_id, name, code) VALUES ('t', 'two', 'x')");
  const unique = item('code: { type: text, unique: true }');
  await expect(apply(unique)).rejects.toMatchObject({ code: 'PLAN_STEP_FAILED', disposition: 'user' });
  await client.query("UPDATE shop.item SET code = 'y' WHERE name = 'two'");
  await apply(unique);
  expect(await kinds(unique)).toEqual([]);
});

test("what is not the planner's stays: foreign indexes, checks, other schemas", async () => {
  await apply(item(''));
  await client.query(
    "CREATE INDEX by_hand ON shop.item (name); ALTER TABLE shop.item ADD CONSTRAINT by_hand_too CHECK (name <> '')",
  );
  expect(await kinds(item(''))).toEqual([]);
});

test.for([
  ['numeric(6,2)', 'numeric(12,4)', true],
  ['numeric(6,2)', 'numeric(6,3)', false],
  ['integer', 'bigint', true],
  ['bigint', 'integer', false],
  ['bigint', 'numeric(18,2)', false],
  ['bigint', 'numeric(24,2)', true],
  ['date', 'text', true],
  ['text', 'date', false],
  ['text[]', 'text', false],
] as const)('%s -> %s widens: %s', ([from, to, widens]) => {
  expect(isWidening(from, to)).toBe(widens);
});

test('indexes for lists end with the columns by which roles see only some rows; long texts are left out', async () => {
  const apps = shop(`place:
  titleField: name
  permissions: [{ role: everyone, can: [read] }]
  fields: { name: { type: text } }
item:
  titleField: name
  permissions:
    - { role: everyone, can: [read], where: region = $attributes.region and remark = 'x' }
    - { role: everyone, can: [read], where: place.name = $user }
    - { role: everyone, can: [read], where: size > 3 or open }
  fields:
    name: { type: text }
    size: { type: integer, indexed: true }
    region: { type: select, options: { n: North, s: South } }
    remark: { type: text }
    open: { type: boolean }
    place: { type: reference, entity: place }`);
  await apply(apps);
  const { rows } = await client.query<{ indexdef: string }>(
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'shop' AND indexname LIKE 'item_size_idx%'",
  );
  expect(rows.map((row) => row.indexdef.split('USING ')[1])).toEqual([
    'btree (tenant_id, size, id, region, place_id)',
  ]);
});
