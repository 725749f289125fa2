import { parse } from 'yaml';
import { z } from 'zod';
import { type ModelFile, type SemanticQuery, type SemanticResult, toHubError } from '#kernel';
import type { Finding } from './findings.ts';

const members = z.array(z.string()).optional();
const query = z.strictObject({
  measures: members,
  dimensions: members,
  segments: members,
  timeDimensions: z
    .array(
      z.strictObject({
        dimension: z.string(),
        granularity: z.string().optional(),
        dateRange: z.union([z.string(), z.array(z.string())]).optional(),
      }),
    )
    .optional(),
  filters: z.array(z.unknown()).optional(),
  order: z.array(z.tuple([z.string(), z.enum(['asc', 'desc'])])).optional(),
  limit: z.number().int().min(1).max(10_000).optional(),
  timezone: z.string().optional(),
});
const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const metricTest = z
  .strictObject({
    name: z.string(),
    query,
    /** Expected rows, values in the order of the result's columns; in any order unless the query has one. */
    rows: z.array(z.array(cell)).max(1000).optional(),
    /** Another query that must give the same rows, column by column. */
    equals: query.optional(),
    /** How far numbers may be apart, as a share of the larger; default 1e-9. */
    tolerance: z.number().min(0).max(1).optional(),
  })
  .refine(
    (test) => (test.rows === undefined) !== (test.equals === undefined),
    'a test has either rows or equals',
  );
const file = z.strictObject({ tests: z.array(metricTest).min(1).max(1000) });

export type MetricTest = z.infer<typeof metricTest>;
export type Load = (query: SemanticQuery) => Promise<SemanticResult>;

/** Tests of a YAML file; or what is wrong with it. */
export function parseTests({ fileName, content }: ModelFile): { tests: MetricTest[]; findings: Finding[] } {
  const wrong = (message: string): { tests: MetricTest[]; findings: Finding[] } => ({
    tests: [],
    findings: [{ kind: 'invalid', where: fileName, message }],
  });
  let data: unknown;
  try {
    data = parse(content, { maxAliasCount: 0 });
  } catch (error) {
    return wrong((error as Error).message);
  }
  const result = file.safeParse(data);
  if (result.success) return { tests: result.data.tests, findings: [] };
  return wrong(result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n'));
}

/** Null if the test holds; else what is different. */
export async function runTest(test: MetricTest, load: Load): Promise<Finding | null> {
  const failed = (message: string, hint?: string): Finding => ({
    kind: 'test',
    where: test.name,
    message,
    hint,
  });
  try {
    const actual = await load(test.query);
    const expected = test.rows ?? (await load(test.equals!)).rows;
    const difference = compareRows(actual.rows, expected, {
      ordered: test.query.order !== undefined,
      tolerance: test.tolerance ?? 1e-9,
    });
    return difference === null ? null : failed(difference);
  } catch (thrown) {
    const error = toHubError(thrown);
    return failed(error.message, error.next);
  }
}

type Rows = readonly (readonly unknown[])[];

/** What distinguishes the two, or null. Numbers are compared as numbers, times as their texts. */
export function compareRows(
  actual: Rows,
  expected: Rows,
  options: { readonly ordered: boolean; readonly tolerance: number },
): string | null {
  if (actual.length !== expected.length) return `${actual.length} rows instead of ${expected.length}.`;
  const [left, right] = options.ordered ? [actual, expected] : [sorted(actual), sorted(expected)];
  for (const [at, row] of left.entries()) {
    const other = right[at]!;
    const same =
      row.length === other.length &&
      row.every((value, index) => equal(value, other[index], options.tolerance));
    if (!same) return `row ${at + 1} is ${JSON.stringify(row)} instead of ${JSON.stringify(other)}.`;
  }
  return null;
}

/** By texts first, so that numbers that differ in their last digits do not change the order of rows. */
function sorted(rows: Rows): Rows {
  const keyOf = (row: readonly unknown[]): string =>
    JSON.stringify([
      row.filter((value) => numeric(value) === null),
      row.map((value) => numeric(value)?.toPrecision(9)),
    ]);
  return rows
    .map((row) => ({ row, key: keyOf(row) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ row }) => row);
}

function numeric(value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  return typeof value === 'string' && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value) ? Number(value) : null;
}

function equal(a: unknown, b: unknown, tolerance: number): boolean {
  if (a === b) return true;
  const [x, y] = [numeric(a), numeric(b)];
  if (x === null || y === null) return (a ?? null) === null && (b ?? null) === null;
  return Math.abs(x - y) <= tolerance * Math.max(Math.abs(x), Math.abs(y), 1e-12);
}
