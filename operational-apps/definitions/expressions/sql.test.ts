import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import { applyPlan, planApps } from '../../planner/index.ts';
import { checkExpression } from './check.ts';
import { parseExpression } from './parse.ts';
import { alternatives, compilePredicate } from './predicate.ts';
import { columnsUnder, compileExpression } from './sql.ts';
import { shopApps, shopScope } from './testing.ts';
import type { Typed } from './typed.ts';

/**
 * What PostgreSQL makes of an expression is compared with what a second implementation, which knows
 * nothing of SQL, makes of the same text. Numbers are multiples of powers of two, so that both are exact.
 */
type Value = number | string | boolean | null;
interface Line {
  amount: number | null;
  ok: boolean | null;
}
interface Item {
  i: number | null;
  j: number | null;
  n: number | null;
  t: string | null;
  u: string | null;
  f: boolean | null;
  tags: string[] | null;
  maker: { title: string | null; grade: number | null } | null;
  lines: Line[];
}
interface Case {
  readonly text: string;
  readonly run: (row: Item, line?: Line) => Value;
}

let server: TestPostgres;
let client: pg.Client;
const items: Item[] = [];

const number = fc.oneof(fc.constant(null), fc.integer({ min: -3, max: 3 }));
const word = fc.oneof(fc.constant(null), fc.constantFrom('', 'a', 'ab', 'b', 'ba'));
const flag = fc.constantFrom(true, false, null);
const itemArbitrary: fc.Arbitrary<Item> = fc.record({
  i: number,
  j: number,
  n: fc.constantFrom(null, 0, 0.5, -1.25, 2),
  t: word,
  u: word,
  f: flag,
  tags: fc.constantFrom(null, [], ['a'], ['a', 'b']),
  maker: fc.option(fc.record({ title: word, grade: number })),
  lines: fc.array(fc.record({ amount: number, ok: flag }), { maxLength: 3 }),
});

beforeAll(async () => {
  server = await testPostgres();
  client = new pg.Client({ connectionString: server.url });
  await client.connect();
  await applyPlan(client, await planApps(client, shopApps));
  items.push(...fc.sample(itemArbitrary, { numRuns: 12, seed: 7 }));
  for (const item of items) {
    const maker = item.maker && (await insert('maker', { title: item.maker.title, grade: item.maker.grade }));
    const { i, j, n, t, u, f, tags } = item;
    const id = await insert('item', { i, j, n, t, u, f, tags, maker_id: maker });
    for (const [index, line] of item.lines.entries())
      await insert('line', { ...line, item_id: id, position: index + 1 });
  }
  await insert('item', {
    tenant_id: 'dated',
    d: '2026-01-31',
    at: '2026-01-31T23:30:00Z',
    place_city: 'Graz',
    place_country: 'AT',
    about_type: 'shop.item',
    about_id: 1,
  });
});
afterAll(async () => {
  await client?.end();
  await server?.[Symbol.asyncDispose]();
});

async function insert(table: string, row: Record<string, unknown>): Promise<string> {
  const values = { tenant_id: 't', ...row };
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO shop.${table} (${Object.keys(values).join(', ')}) VALUES (${Object.keys(values).map((_, at) => `$${at + 1}`)}) RETURNING id`,
    Object.values(values),
  );
  return rows[0]!.id;
}

const strict2 =
  <A extends Value, B extends Value>(f: (a: A & {}, b: B & {}) => Value) =>
  (a: Value, b: Value): Value =>
    a === null || b === null ? null : f(a as A & {}, b as B & {});
const binary = (a: Case, operator: string, b: Case, f: (a: Value, b: Value) => Value): Case => ({
  text: `(${a.text} ${operator} ${b.text})`,
  run: (row, line) => f(a.run(row, line), b.run(row, line)),
});
const and = (a: Value, b: Value): Value =>
  a === false || b === false ? false : a === null || b === null ? null : true;
const or = (a: Value, b: Value): Value =>
  a === true || b === true ? true : a === null || b === null ? null : false;
const leaf = (text: string, run: Case['run']): fc.Arbitrary<Case> => fc.constant({ text, run });
const sum = (values: readonly (number | null)[]): number =>
  values.reduce<number>((all, one) => all + (one ?? 0), 0);

const cases = fc.letrec<{ number: Case; text: Case; boolean: Case }>((tie) => ({
  number: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf('i', (row) => row.i),
    leaf('n', (row) => row.n),
    leaf('j', (row) => row.j),
    leaf('maker.grade', (row) => row.maker?.grade ?? null),
    fc.constantFrom(0, 1, 2, 0.5).map((value) => ({ text: String(value), run: () => value })),
    leaf('sum(lines.amount)', (row) => sum(row.lines.map((line) => line.amount))),
    leaf('sum(lines.amount * i, lines.ok)', (row) =>
      sum(
        row.lines
          .filter((line) => line.ok)
          .map(({ amount }) => (amount === null || row.i === null ? null : amount * row.i)),
      ),
    ),
    leaf(
      'count(lines, lines.amount > 0)',
      (row) => row.lines.filter(({ amount }) => (amount ?? 0) > 0).length,
    ),
    leaf('max(lines.amount)', (row) => {
      const given = row.lines.flatMap(({ amount }) => (amount === null ? [] : [amount]));
      return given.length === 0 ? null : Math.max(...given);
    }),
    fc.tuple(tie('number'), fc.constantFrom('+', '-', '*'), tie('number')).map(([a, operator, b]) =>
      binary(
        a,
        operator,
        b,
        strict2<number, number>((x, y) => (operator === '+' ? x + y : operator === '-' ? x - y : x * y)),
      ),
    ),
    fc.tuple(tie('number'), fc.constantFrom(0, 2, 4)).map(([a, by]) =>
      binary(
        a,
        '/',
        { text: String(by), run: () => by },
        strict2<number, number>((x, y) => (y === 0 ? null : x / y)),
      ),
    ),
    tie('number').map(
      (a): Case => ({
        text: `(- ${a.text})`,
        run: (row) => {
          const value = a.run(row);
          return value === null ? null : -(value as number);
        },
      }),
    ),
    fc.tuple(tie('number'), tie('number')).map(
      ([a, b]): Case => ({
        text: `coalesce(${a.text}, ${b.text})`,
        run: (row) => a.run(row) ?? b.run(row),
      }),
    ),
    fc.tuple(tie('boolean'), tie('number'), tie('number')).map(
      ([c, a, b]): Case => ({
        text: `if(${c.text}, ${a.text}, ${b.text})`,
        run: (row) => (c.run(row) === true ? a.run(row) : b.run(row)),
      }),
    ),
    tie('text').map(
      (a): Case => ({
        text: `length(${a.text})`,
        run: (row) => (a.run(row) as string | null)?.length ?? null,
      }),
    ),
  ),
  text: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf('t', (row) => row.t),
    leaf('u', (row) => row.u),
    leaf('maker.title', (row) => row.maker?.title ?? null),
    fc
      .constantFrom('', 'a', "it's")
      .map((value) => ({ text: `'${value.replace("'", "''")}'`, run: () => value })),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) =>
      binary(
        a,
        '||',
        b,
        strict2<string, string>((x, y) => x + y),
      ),
    ),
    tie('text').map(
      (a): Case => ({
        text: `upper(${a.text})`,
        run: (row) => (a.run(row) as string | null)?.toUpperCase() ?? null,
      }),
    ),
  ),
  boolean: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    leaf('f', (row) => row.f),
    leaf("tags contains 'b'", (row) => row.tags?.includes('b') ?? null),
    leaf('any(lines.ok)', (row) => row.lines.some((line) => line.ok === true)),
    leaf('all(lines.ok)', (row) => row.lines.every((line) => line.ok === true)),
    leaf(
      "maker.title = 'a'",
      (row) => row.maker && (row.maker.title === null ? null : row.maker.title === 'a'),
    ),
    leaf('maker.grade in (1, 2)', (row) =>
      row.maker?.grade == null ? null : [1, 2].includes(row.maker.grade),
    ),
    fc
      .tuple(tie('number'), fc.constantFrom('=', '!=', '<', '<=', '>', '>='), tie('number'))
      .map(([a, operator, b]) =>
        binary(
          a,
          operator,
          b,
          strict2<number, number>((x, y) => compare(x - y, operator)),
        ),
      ),
    fc.tuple(tie('text'), fc.constantFrom('=', '!='), tie('text')).map(([a, operator, b]) =>
      binary(
        a,
        operator,
        b,
        strict2<string, string>((x, y) => (x === y) === (operator === '=')),
      ),
    ),
    fc.tuple(tie('text'), tie('text')).map(([a, b]) =>
      binary(
        a,
        'contains',
        b,
        strict2<string, string>((x, y) => x.includes(y)),
      ),
    ),
    fc.tuple(tie('boolean'), tie('boolean')).map(([a, b]) => binary(a, 'and', b, and)),
    fc.tuple(tie('boolean'), tie('boolean')).map(([a, b]) => binary(a, 'or', b, or)),
    tie('boolean').map(
      (a): Case => ({
        text: `(not ${a.text})`,
        run: (row) => {
          const value = a.run(row);
          return value === null ? null : !value;
        },
      }),
    ),
    tie('number').map((a): Case => ({ text: `(${a.text} is null)`, run: (row) => a.run(row) === null })),
  ),
}));

function compare(difference: number, operator: string): boolean {
  if (operator === '=') return difference === 0;
  if (operator === '!=') return difference !== 0;
  if (operator === '<') return difference < 0;
  if (operator === '<=') return difference <= 0;
  return operator === '>' ? difference > 0 : difference >= 0;
}

const context = { column: columnsUnder('item'), tenant: 'item.tenant_id', variables: {} };
const typed = (text: string) => {
  const checked = checkExpression(parseExpression(text), shopScope('filter'));
  expect(checked.problems).toEqual([]);
  return checked.typed!;
};

test('PostgreSQL gives what an independent evaluation gives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(cases.number, cases.text, cases.boolean), async ({ text, run }) => {
      const sql = compileExpression(typed(text), context);
      const { rows } = await client.query<{ value: Value }>(
        `SELECT to_jsonb(${sql}) AS value FROM shop.item WHERE tenant_id = 't' ORDER BY id`,
      );
      expect(rows.map((row) => row.value)).toEqual(items.map((item) => positive(run(item))));
    }),
    { numRuns: 400 },
  );
});

test.each([
  ['a predicate', (whole: Typed) => [whole]],
  ['predicates without or, one of them,', alternatives],
])('%s finds the rows for which the expression is true', async (_, partsOf) => {
  await fc.assert(
    fc.asyncProperty(cases.boolean, async ({ text, run }) => {
      const sql = partsOf(typed(text))
        .map((part) => compilePredicate(part, { ...context, tenant: "'t'::text" }))
        .join(' OR ');
      const { rows } = await client.query<{ place: number }>(
        `SELECT place::int FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM shop.item WHERE tenant_id = 't') n JOIN shop.item USING (id) WHERE ${sql} ORDER BY id`,
      );
      expect(rows.map((row) => row.place)).toEqual(
        items.flatMap((item, at) => (run(item) === true ? [at] : [])),
      );
    }),
    { numRuns: 200 },
  );
});

/** -0 is 0 to PostgreSQL. */
const positive = (value: Value): Value => (value === 0 ? 0 : value);

test.for([
  ["add(d, '1d')", '2026-02-01'],
  ["add(d, '-1w')", '2026-01-24'],
  ['add(d, 2)', '2026-02-02'],
  ['days_between(d, add(d, 29))', 29],
  ['date(at)', '2026-01-31'],
  ["'' || add(at, '-90m')", '2026-01-31T22:00:00Z'],
  ['d < at', true],
  ["at = '2026-01-31T23:30:00Z' and d = '2026-01-31'", true],
  ['round(2.345, 2)', 2.35],
  ['1 / 0', null],
  ["concat('a', t, 1, true, d)", 'a1true2026-01-31'],
  ["place.city || ', ' || place.country", 'Graz, AT'],
  ['about is null', false],
] as const)('%s', async ([text, value]) => {
  const sql = compileExpression(typed(text), context);
  await client.query("SET TIME ZONE 'Asia/Tokyo'");
  const { rows } = await client.query(
    `SELECT to_jsonb(${sql}) AS value FROM shop.item WHERE tenant_id = 'dated'`,
  );
  expect(rows).toEqual([{ value }]);
});
