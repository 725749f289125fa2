import { expect, test } from 'vitest';
import type { SemanticQuery, SemanticResult } from '#kernel';
import type { ModelInput } from '../generate/index.ts';
import { shop } from '../generate/testing/shop.ts';
import { checkModel } from './check.ts';
import { compareRows } from './metric-tests.ts';

const compiles = (): Promise<void> => Promise.resolve();
const of = (content: string): ModelInput => ({ ...shop, curated: [{ fileName: 'a.yaml', content }] });

/** Answers each query with its own row, by its first measure. */
const answers =
  (rows: Readonly<Record<string, readonly (readonly unknown[])[]>>) =>
  (query: SemanticQuery): Promise<SemanticResult> => {
    const found = rows[query.measures?.[0] ?? ''];
    if (!found) return Promise.reject(new Error(`no member ${query.measures?.[0]}`));
    return Promise.resolve({
      columns: [],
      rows: found,
      freshness: { completeUpTo: null },
      cached: false,
      tables: [],
    });
  };

test('a model without faults is ok and counted', async () => {
  const model = of(
    'cubes: [{ name: sales, extends: crm_order, measures: [{ name: paid_orders, type: count }] }]',
  );
  const report = await checkModel({ model, tests: [], compile: compiles, load: null });
  expect(report).toMatchObject({ ok: true, findings: [], views: 0 });
  expect(report.cubes).toBeGreaterThan(6);
});

test('members whose column or member is gone are orphans, with the nearest name', async () => {
  const model = of(`
cubes:
  - name: sales
    extends: crm_order
    measures:
      - { name: revenue, type: sum, sql: "{CUBE}.totl" }
      - { name: average, type: number, sql: "{revenu} / {count}" }
  - { name: nothing, extends: crm_ordr }
`);
  const { ok, findings } = await checkModel({ model, tests: [], compile: compiles, load: null });
  expect(ok).toBe(false);
  expect(findings).toEqual([
    {
      kind: 'orphan',
      where: 'nothing',
      at: 'a.yaml:8',
      message: 'needs crm_ordr, which is not there.',
      hint: 'Did you mean crm_order?',
    },
    {
      kind: 'orphan',
      where: 'sales.revenue',
      at: 'a.yaml:6',
      message: 'needs CUBE.totl, which is not there.',
      hint: 'Did you mean total?',
    },
    {
      kind: 'orphan',
      where: 'sales.average',
      at: 'a.yaml:7',
      message: 'needs sales.revenu, which is not there.',
      hint: undefined,
    },
  ]);
});

test('of the product’s own files, what follows from a table that is not captured is no finding', async () => {
  const content = `
cubes:
  - { name: gone, extends: hr_person, measures: [{ name: heads, type: count }] }
  - name: sales
    extends: crm_order
    joins: [{ name: gone, relationship: many_to_one, sql: "{CUBE}.owner = {gone}.id" }]
    measures:
      - { name: per_head, type: number, sql: "{count} / {gone.heads}" }
      - { name: twice, type: number, sql: "2 * {per_head}" }
      - { name: slip, type: sum, sql: "{CUBE}.totl" }
views:
  - { name: both, cubes: [{ join_path: sales, includes: [twice] }, { join_path: sales.gone, includes: [heads] }] }
`;
  const model: ModelInput = { ...shop, curated: [{ fileName: 'a.yaml', content }] };
  const check = async (product: string[]) => {
    const checked = { model, tests: [], compile: compiles, load: null, product: new Set(product) };
    return (await checkModel(checked)).findings.map(({ where }) => where);
  };
  expect(await check(['a.yaml'])).toEqual(['sales.slip']);
  expect(await check([])).toEqual(expect.arrayContaining(['gone', 'sales.per_head', 'sales.twice', 'both']));
});

test('clashes: two cubes, two members, a cube named as a table, a member named as a cube', async () => {
  const model = of(`
cubes:
  - { name: crm_customer, extends: crm_order }
  - { name: sales, extends: crm_order, measures: [{ name: a, type: count }, { name: a, type: count }] }
  - { name: sales, extends: crm_order, dimensions: [{ name: crm_order, type: string, sql: "{CUBE}.status" }] }
`);
  const { findings } = await checkModel({ model, tests: [], compile: compiles, load: null });
  expect(findings.map(({ kind, where }) => `${kind} ${where}`).sort()).toEqual([
    'clash crm_customer',
    'clash sales',
    'clash sales.a',
    'clash sales.crm_order',
  ]);
});

test('what cannot be read and what does not compile is told', async () => {
  const broken = await checkModel({
    model: of('cubes: [{ name: 1 }]'),
    tests: [],
    compile: compiles,
    load: null,
  });
  expect(broken.findings).toMatchObject([{ kind: 'invalid', where: 'a.yaml' }]);
  const failing = await checkModel({
    model: of('cubes: []'),
    tests: [],
    compile: () => Promise.reject(new Error('orders.x cannot be resolved')),
    load: null,
  });
  expect(failing.findings).toMatchObject([{ kind: 'compile', message: 'orders.x cannot be resolved' }]);
  const placed = await checkModel({
    model: of(
      'cubes:\n  - name: sales\n    extends: crm_order\n    measures:\n      - { name: paid, type: cuont }',
    ),
    tests: [],
    compile: () => Promise.reject(new Error('sales cube: "measures.paid.type" must be one of count, sum')),
    load: null,
  });
  expect(placed.findings).toMatchObject([{ kind: 'compile', at: 'a.yaml:5' }]);
});

test('roll-ups: unknown members, measures that do not add up, times as dimensions, settings that are none', async () => {
  const model = of(`
cubes:
  - name: sales
    extends: crm_order
    measures:
      - { name: revenue, type: sum, sql: "{CUBE}.total" }
      - { name: mean, type: avg, sql: "{CUBE}.total" }
      - { name: ratio, type: number, sql: "{revenue} / {count}" }
      - { name: buyers, type: count_distinct, sql: "{CUBE}.customer_id" }
    pre_aggregations:
      - { name: fine, measures: [count, revenue], dimensions: [status], time_dimension: placed_at, granularity: day }
      - { name: lost, measures: [revenu], time_dimension: placed_at, granularity: day }
      - { name: parts, measures: [mean, ratio, buyers], dimensions: [due_on], time_dimension: status, granularity: day }
`);
  const { findings } = await checkModel({ model, tests: [], compile: compiles, load: null });
  expect(findings.map(({ kind, where, message, hint }) => [kind, where, message, hint])).toEqual([
    ['orphan', 'sales.lost', expect.stringContaining('revenu'), expect.anything()],
    [
      'rollup',
      'sales.parts',
      'measure ratio is of type number, which does not add up.',
      expect.stringContaining('computed from'),
    ],
    [
      'rollup',
      'sales.parts',
      'measure buyers is of type count_distinct, which does not add up.',
      expect.anything(),
    ],
    ['rollup', 'sales.parts', 'due_on is a time: it can only be the time_dimension.', undefined],
    ['rollup', 'sales.parts', 'status is no dimension of type time.', undefined],
  ]);
  const unread = await checkModel({
    model: of(
      'cubes: [{ name: s, extends: crm_order, pre_aggregations: [{ name: a, measures: [count], segments: [x], granularity: decade }] }]',
    ),
    tests: [],
    compile: compiles,
    load: null,
  });
  const said = unread.findings.map(({ at, message }) => `${at} ${message}`).join('\n');
  expect(said).toMatch(/^a.yaml:\d+ .*segments/m);
  expect(said).toMatch(/granularity/);
  expect(said).toMatch(/time_dimension/);
});

test('metric tests: expected rows, equality of two queries, tolerance, and what cannot be asked', async () => {
  const tests = [
    {
      fileName: 'a.test.yaml',
      content: `
tests:
  - { name: rows, query: { measures: [a] }, rows: [["x", 2], ["y", 1]] }
  - { name: wrong rows, query: { measures: [a] }, rows: [["x", 2], ["y", 3]] }
  - { name: equal, query: { measures: [a] }, equals: { measures: [b] } }
  - { name: unequal, query: { measures: [a] }, equals: { measures: [c] } }
  - { name: close enough, query: { measures: [a] }, equals: { measures: [c] }, tolerance: 0.01 }
  - { name: unknown, query: { measures: [z] }, rows: [] }
`,
    },
    { fileName: 'b.test.yaml', content: 'tests: [{ name: both, query: {}, rows: [], equals: {} }]' },
  ];
  const load = answers({
    a: [
      ['y', '1.00'],
      ['x', '2'],
    ],
    b: [
      ['x', 2],
      ['y', 1],
    ],
    c: [
      ['x', '2.001'],
      ['y', 1],
    ],
  });
  const { findings, tests: run } = await checkModel({
    model: of('cubes: []'),
    tests,
    compile: compiles,
    load,
  });
  expect(run).toBe(6);
  expect(findings.map(({ where }) => where)).toEqual(['b.test.yaml', 'wrong rows', 'unequal', 'unknown']);
  expect(findings[1]!.message).toBe('row 2 is ["y","1.00"] instead of ["y",3].');
});

test('rows are compared in their order where there is one, and nulls and texts as they are', () => {
  const options = { ordered: true, tolerance: 1e-9 };
  expect(compareRows([[1], [2]], [[2], [1]], options)).toContain('row 1');
  expect(compareRows([[1], [2]], [[2], [1]], { ...options, ordered: false })).toBeNull();
  expect(compareRows([[null]], [[0]], options)).toContain('null');
  expect(compareRows([['01']], [['1']], { ...options, tolerance: 0 })).toBeNull();
  expect(compareRows([['a']], [['b']], options)).toContain('"a"');
  expect(compareRows([[1]], [], options)).toBe('1 rows instead of 0.');
});
