import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AccessProfile, type ColumnAccess, everythingProfile } from '#kernel';
import { buildModel, generateModel, type ModelInput } from './index.ts';
import { shop } from './testing/shop.ts';

const curated = [
  {
    fileName: 'shop.yaml',
    content: `
cubes:
  - name: sales
    extends: crm_order
    joins:
      - { name: buyers, relationship: many_to_one, sql: "{CUBE}.customer_id = {buyers}.id" }
    measures:
      - { name: revenue, type: sum, sql: "{CUBE}.total", filters: [{ sql: "{CUBE}.status = 'paid'" }] }
      - { name: average, type: number, sql: "{revenue} / nullIf({count}, 0)" }
      - { name: vip_revenue, type: sum, sql: "{CUBE}.total", filters: [{ sql: "{buyers.kind} = 'vip'" }] }
  - name: buyers
    extends: crm_customer
  - name: first_orders
    sql: SELECT customer_id, min(placed_at) AS first_at FROM {crm_order(customer_id, placed_at)} GROUP BY customer_id
    dimensions:
      - { name: customer_id, type: number, sql: "{CUBE}.customer_id", primary_key: true }
      - { name: first_at, type: time, sql: "{CUBE}.first_at" }
    measures:
      - { name: customers, type: count }
views:
  - name: revenue_by_customer
    cubes:
      - { join_path: sales, includes: [revenue, average, vip_revenue, placed_at] }
      - { join_path: sales.buyers, prefix: true, includes: [name, kind] }
`,
  },
];
const input: ModelInput = { ...shop, curated };
const everything = everythingProfile(shop.tables);

/** A profile that sees everything but what `columns` says. */
function profileOf(
  columns: Readonly<Record<string, ColumnAccess>>,
  filter: string | null = null,
): AccessProfile {
  const tables = [...everything.tables].map(([topic, access]) => {
    const seen = [...access.columns].map(
      ([name, mode]) => [name, columns[`${topic}.${name}`] ?? mode] as const,
    );
    return [topic, { ...access, filter, columns: new Map(seen) }] as const;
  });
  return { ...everything, tables: new Map(tables) };
}

const membersOf = (profile: AccessProfile, cube: string): string[] => {
  const found = buildModel(input, profile).model.cubes.find(({ name }) => name === cube);
  return found ? [...found.dimensions, ...found.measures].map(({ name }) => name) : [];
};

test('the model of a small shop is what the golden file says', async () => {
  const text = generateModel(input, everything)
    .map(({ fileName, content }) => `// ${fileName}\n${content}`)
    .join('\n');
  await expect(text).toMatchFileSnapshot('golden/shop.js');
});

test('a hidden column takes with it all that needs it, in curated cubes and views, too', () => {
  const profile = profileOf({ 'business.crm.order.total': { mode: 'hidden' } });
  const { model, losses } = buildModel(input, profile);
  expect(JSON.stringify(generateModel(input, profile))).not.toMatch(/total\W*`/);
  expect(membersOf(profile, 'sales')).not.toContain('revenue');
  expect(membersOf(profile, 'sales')).not.toContain('average');
  expect(model.views[0]!.cubes[0]!.includes).toEqual(['placed_at']);
  expect(losses).toContainEqual({ cube: 'sales', member: 'average', missing: 'sales.revenue' });
});

test('a hidden column of a joined table takes the members of others with it; a hidden key the join', () => {
  expect(membersOf(profileOf({ 'business.crm.customer.kind': { mode: 'hidden' } }), 'sales')).not.toContain(
    'vip_revenue',
  );
  const withoutJoin = profileOf({ 'business.crm.order.customer_id': { mode: 'hidden' } });
  expect(membersOf(withoutJoin, 'sales')).not.toContain('vip_revenue');
  expect(membersOf(withoutJoin, 'sales')).toContain('revenue');
  const withoutKey = buildModel(input, profileOf({ 'business.crm.customer.id': { mode: 'hidden' } }));
  expect(withoutKey.model.cubes.find(({ name }) => name === 'sales')!.joins).toEqual([]);
  expect(withoutKey.model.views[0]!.cubes.map(({ join_path }) => join_path)).toEqual(['sales']);
});

test('cubes with SQL of their own are there only if all they read is plainly visible', () => {
  const has = (profile: AccessProfile): boolean =>
    buildModel(input, profile).model.cubes.some(({ name }) => name === 'first_orders');
  expect(has(everything)).toBe(true);
  expect(has(profileOf({ 'business.crm.order.placed_at': { mode: 'hidden' } }))).toBe(false);
  expect(has(profileOf({ 'business.crm.order.placed_at': { mode: 'masked', sql: 'NULL' } }))).toBe(false);
});

test('a masked column is a text dimension and nothing is computed from it; the row filter sees the true value', () => {
  const profile = profileOf(
    { 'business.crm.order.total': { mode: 'masked', sql: "'***'" } },
    'total > 5 AND tenant_id = {bac_tenant:String}',
  );
  expect(membersOf(profile, 'crm_order')).toContain('total');
  expect(membersOf(profile, 'crm_order')).not.toContain('total_sum');
  expect(membersOf(profile, 'sales')).not.toContain('revenue');
  const file = generateModel(input, profile).find(({ fileName }) => fileName === 'cubes/crm_order.js')!;
  expect(file.content).toContain("('***') AS \\`__masked_5\\`");
  expect(file.content).toContain('`_deleted\\` = 0 AND (total > 5 AND tenant_id = {bac_tenant:String})');
});

test('whatever is hidden, no text of the model names it, and every reference that is left leads somewhere', () => {
  const all = shop.tables.flatMap(({ topic, schema }) =>
    schema.columns.map(({ name }) => `${topic}.${name}`),
  );
  fc.assert(
    fc.property(fc.subarray(all), (hidden) => {
      const profile = profileOf(Object.fromEntries(hidden.map((name) => [name, { mode: 'hidden' }])));
      const { model } = buildModel(input, profile);
      for (const cube of model.cubes) {
        const topic = String(cube.meta?.topic ?? 'business.crm.order');
        for (const name of hidden.filter((one) => one.startsWith(`${topic}.`)))
          expect(cube.sql).not.toContain(`\`${name.slice(topic.length + 1)}\``);
      }
      // What is pruned is pruned wholly: a second look at the result finds nothing more.
      const names = new Set(model.cubes.map(({ name }) => name));
      for (const cube of model.cubes) for (const join of cube.joins) expect(names).toContain(join.name);
      for (const view of model.views)
        for (const part of view.cubes) expect(part.includes).not.toHaveLength(0);
    }),
    { numRuns: 100 },
  );
});

test('the same input gives the same bytes, in whatever order tables and entities come', () => {
  const reversed = {
    tables: [...shop.tables].reverse(),
    entities: [...shop.entities].reverse(),
    curated,
  };
  expect(generateModel(reversed, everything)).toEqual(generateModel(input, everything));
});

test('two cubes of a name, and files that say what there is not, are refused with their place', () => {
  const of = (content: string): (() => unknown) => {
    return () => buildModel({ ...shop, curated: [{ fileName: 'a.yaml', content }] }, everything);
  };
  expect(of('cubes: [{ name: crm_order, extends: crm_order }]')).toThrow('two cubes or views crm_order');
  expect(of('cubes: [{ name: x, extends: crm_order, measure: [] }]')).toThrow(/a\.yaml:1: cubes\.x.*measure/);
  expect(of('cubes: [{ name: x }]')).toThrow('either extends or sql');
  expect(of('cubes: {')).toThrow('a.yaml');
});

test('a cube is given members from another file, which are new ones, and keeps what it has', () => {
  const more = (content: string) => ({
    ...input,
    curated: [...curated, { fileName: 'own.yaml', content }],
  });
  const { model, losses } = buildModel(
    more('cubes:\n  - name: sales\n    measures:\n      - { name: net, type: sum, sql: "{CUBE}.total" }'),
    everything,
  );
  expect(losses).toEqual([]);
  const sales = model.cubes.find(({ name }) => name === 'sales')!;
  expect(sales.measures.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['count', 'revenue', 'average', 'net']),
  );
  expect(
    model.cubes.find(({ name }) => name === 'crm_order')!.measures.map(({ name }) => name),
  ).not.toContain('net');
  expect(() =>
    buildModel(more('cubes:\n- name: sales\n  measures:\n  - { name: revenue, type: count }'), everything),
  ).toThrow('own.yaml:4 and shop.yaml:8: sales has a revenue already.');
  expect(() => buildModel(more('cubes:\n\n- { name: buyers, extends: crm_order }'), everything)).toThrow(
    'own.yaml:3 and shop.yaml:11: there are two cubes or views buyers.',
  );
});

test.each([
  ['sql: "SELECT id FROM DB.order_"', 'DB.order_'],
  ['sql: "SELECT 1 AS id FROM (SELECT 1) AS a, `DB` . `order_` AS b"', 'DB . order_'],
  ['sql: "SELECT \'--\' AS id FROM DB.order_"', 'DB.order_'],
  ['sql: "SELECT 1 /* it\'s */ AS id FROM \\"DB\\".order_ -- \'"', 'DB.order_'],
  ["sql: \"SELECT id FROM merge('DB', 'order')\"", 'merge(...)'],
  ['sql: "SELECT run AS id FROM bac_rollups.builds"', 'bac_rollups.builds'],
  [
    'extends: crm_order, measures: [{ name: m, type: max, sql: "(SELECT max(total) FROM DB.order_)" }]',
    'DB.order_',
  ],
  [
    'extends: crm_order, measures: [{ name: m, type: count, filters: [{ sql: "{CUBE}.id IN DB.order_" }] }]',
    'DB.order_',
  ],
])('SQL that reads a table by itself would know no rule on rows and is refused: %s', (cube, what) => {
  const { database } = shop.tables[0]!;
  const content = `cubes:\n  - { name: x, ${cube.replaceAll('DB', database)} }`;
  expect(() => buildModel({ ...shop, curated: [{ fileName: 'own.yaml', content }] }, everything)).toThrow(
    new RegExp(`own.yaml:2: x\\S* reads ${what.replaceAll('DB', database).replace(/\W/g, '\\$&')} by`),
  );
});

test('what only looks like a table is none: strings, comments, references, names of columns', () => {
  const { database } = shop.tables[0]!;
  const content = `
cubes:
  - name: x
    sql: "SELECT id, '${database}.orders' AS note, a.status FROM {crm_order(id, status)} AS a -- ${database}.orders"
    measures: [{ name: m, type: sum, title: "${database}.orders", sql: "{${database}.n}" }]`;
  expect(() =>
    buildModel({ ...shop, curated: [{ fileName: 'own.yaml', content }] }, everything),
  ).not.toThrow();
});
