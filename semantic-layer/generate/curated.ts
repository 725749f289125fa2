import { z } from 'zod';
import { HubError, type ModelFile, parseYaml } from '#kernel';
import { type Places, placesOf } from './places.ts';

const name = z.string().regex(/^[a-z_][a-z0-9_]*$/i, 'letters, digits and underscores only');
const meta = z.record(z.string(), z.unknown()).optional();
const member = z.looseObject({
  name,
  type: z.string().optional(),
  sql: z.string().optional(),
  title: z.string().optional(),
  description: z.string().optional(),
  filters: z.array(z.strictObject({ sql: z.string() })).optional(),
  drill_members: z.array(name).optional(),
  meta,
});
const granularity = z.enum(['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']);
/** A roll-up: docs/semantic-layer.md says what each means. */
const preAggregation = z.strictObject({
  name,
  type: z.literal('rollup').optional(),
  measures: z.array(z.string()).min(1, 'a roll-up has measures'),
  dimensions: z.array(z.string()).default([]),
  time_dimension: z.string('a roll-up has a time_dimension'),
  granularity,
  partition_granularity: granularity.optional(),
});
interface Shaped {
  readonly extends?: unknown;
  readonly sql?: unknown;
  readonly title?: unknown;
  readonly description?: unknown;
  readonly public?: unknown;
  readonly meta?: unknown;
  readonly joins: readonly unknown[];
  readonly dimensions: readonly unknown[];
  readonly measures: readonly unknown[];
  readonly segments: readonly unknown[];
  readonly pre_aggregations: readonly unknown[];
}

/** Gives members or roll-ups to the cube of its name: a generated one, or one of another file. */
export function isAddition(cube: Shaped): boolean {
  const { joins, dimensions, measures, segments, pre_aggregations } = cube;
  const more = [joins, dimensions, measures, segments, pre_aggregations].some(({ length }) => length > 0);
  const own = [cube.extends, cube.sql, cube.title, cube.description, cube.public, cube.meta];
  return more && own.every((part) => part === undefined);
}

const cube = z
  .strictObject({
    name,
    extends: name.optional(),
    sql: z.string().optional(),
    title: z.string().optional(),
    description: z.string().optional(),
    public: z.boolean().optional(),
    meta,
    joins: z
      .array(
        z.strictObject({
          name,
          relationship: z.enum(['many_to_one', 'one_to_many', 'one_to_one']),
          sql: z.string(),
        }),
      )
      .default([]),
    dimensions: z.array(member).default([]),
    measures: z.array(member).default([]),
    segments: z.array(member).default([]),
    pre_aggregations: z.array(preAggregation).default([]),
  })
  .refine(
    (one) => (one.extends === undefined) !== (one.sql === undefined) || isAddition(one),
    'a cube has either extends or sql; without both, it adds members or pre_aggregations to the cube of that name, and says nothing else of it',
  );
const include = z.union([
  name,
  z.strictObject({
    name,
    alias: name.optional(),
    title: z.string().optional(),
    description: z.string().optional(),
    format: z.string().optional(),
    meta,
  }),
]);
const view = z.strictObject({
  name,
  title: z.string().optional(),
  description: z.string().optional(),
  public: z.boolean().optional(),
  meta,
  cubes: z.array(
    z.strictObject({
      join_path: z.string().regex(/^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$/i),
      prefix: z.boolean().optional(),
      alias: name.optional(),
      includes: z.union([z.literal('*'), z.array(include)]),
      excludes: z.array(name).optional(),
    }),
  ),
});
const file = z.strictObject({ cubes: z.array(cube).default([]), views: z.array(view).default([]) });

export type CuratedCube = z.infer<typeof cube>;
export interface CuratedFile extends z.infer<typeof file> {
  readonly fileName: string;
  readonly places: Places;
}

/** One thing that is wrong with a file, and its line. */
export interface FileProblem {
  /** `sales.yaml:12`. */
  readonly at: string;
  readonly message: string;
}

/**
 * One file of curated YAML: Cube's own vocabulary, checked. Errors: MODEL_INVALID (user) with the line of everything
 * that is wrong, in `details.problems`, too.
 */
export function parseCurated({ fileName, content }: ModelFile): CuratedFile {
  const source = parseYaml(fileName, content);
  if (source.problems.length > 0)
    throw invalid(source.problems.map(({ line, message }) => ({ at: `${fileName}:${line}`, message })));
  const data = source.value ?? {};
  const result = file.safeParse(data);
  if (result.success) return { ...result.data, fileName, places: placesOf(source, result.data) };
  throw invalid(
    result.error.issues.map((issue) => {
      const key = issue.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [];
      const { line } = source.problem([...issue.path, ...key], '', 'key');
      return { at: `${fileName}:${line}`, message: `${placeOf(data, issue.path)}: ${issue.message}` };
    }),
  );
}

const invalid = (problems: readonly FileProblem[]): HubError =>
  new HubError('MODEL_INVALID', problems.map(({ at, message }) => `${at}: ${message}`).join('\n'), {
    next: 'Correct the file; semantic-layer/README.md describes what it may say.',
    disposition: 'user',
    details: { problems },
  });

/** `cubes.orders.measures.revenue.sql` instead of `cubes.0.measures.3.sql`. */
function placeOf(data: unknown, path: readonly PropertyKey[]): string {
  let at = data;
  const names = path.map((key) => {
    at = (at as Record<PropertyKey, unknown> | undefined)?.[key];
    const named = (at as { name?: unknown } | undefined)?.name;
    return typeof key === 'number' && typeof named === 'string' ? named : String(key);
  });
  return names.join('.') || 'file';
}
