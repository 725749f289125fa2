import { parse } from 'yaml';
import { z } from 'zod';
import { type ModelFile, userError } from '#kernel';

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
  readonly pre_aggregations: readonly unknown[];
  readonly [part: string]: unknown;
}

/** A generated cube, or one of another file, is given roll-ups under its own name. */
export function addsRollups({
  extends: base,
  sql,
  pre_aggregations: added,
  name: _,
  ...rest
}: Shaped): boolean {
  const more = Object.values(rest).some(
    (part) => part !== undefined && !(Array.isArray(part) && part.length === 0),
  );
  return base === undefined && sql === undefined && added.length > 0 && !more;
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
    (one) => (one.extends === undefined) !== (one.sql === undefined) || addsRollups(one),
    'a cube has either extends or sql; without both, it adds pre_aggregations to the cube of that name and nothing else',
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
export type CuratedFile = z.infer<typeof file>;

/**
 * One file of curated YAML: Cube's own vocabulary, checked. Errors: MODEL_INVALID (user) with file and place.
 */
export function parseCurated({ fileName, content }: ModelFile): CuratedFile {
  let data: unknown;
  try {
    data = parse(content, { maxAliasCount: 0 });
  } catch (error) {
    throw invalid(`${fileName}: ${(error as Error).message}`);
  }
  const result = file.safeParse(data ?? {});
  if (result.success) return result.data;
  throw invalid(
    result.error.issues
      .map((issue) => `${fileName}: ${placeOf(data, issue.path)}: ${issue.message}`)
      .join('\n'),
  );
}

const invalid = (message: string): Error =>
  userError(
    'MODEL_INVALID',
    message,
    'Correct the file; semantic-layer/README.md describes what it may say.',
  );

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
