import type { ModelFile } from '#kernel';
import { escapeTemplate, template } from './references.ts';
import type { Cube, Member, Model, PreAggregation, View } from './types.ts';

/**
 * The model as JavaScript that Cube compiles, a file per cube and view. JavaScript and not YAML: in Cube's YAML,
 * braces are always references, and ClickHouse's parameters (`{name:Type}`) could not be written.
 */
export function printModel({ cubes, views }: Model): ModelFile[] {
  const names = new Set(cubes.map(({ name }) => name));
  return [
    ...cubes.map((cube) => ({ fileName: `cubes/${cube.name}.js`, content: printCube(cube, names) })),
    ...views.map((view) => ({ fileName: `views/${view.name}.js`, content: printView(view) })),
  ];
}

type Names = ReadonlySet<string>;

function printCube(cube: Cube, names: Names): string {
  const { name, joins, dimensions, measures, segments, pre_aggregations } = cube;
  const body = object([
    ['sql', `\`${escapeTemplate(cube.sql)}\``],
    ...plain({ title: cube.title, description: cube.description, public: cube.public, meta: cube.meta }),
    ...part(
      'joins',
      joins.map((join) => [join.name, printJoin(join, names)]),
    ),
    ...part(
      'dimensions',
      dimensions.map((member) => [member.name, printMember(member, names)]),
    ),
    ...part(
      'measures',
      measures.map((member) => [member.name, printMember(member, names)]),
    ),
    ...part(
      'segments',
      segments.map((member) => [member.name, printMember(member, names)]),
    ),
    ...part(
      'pre_aggregations',
      pre_aggregations.map((one) => [one.name, printRollUp(one)]),
    ),
  ]);
  return `cube(${JSON.stringify(name)}, ${body});\n`;
}

const part = (key: string, entries: readonly (readonly [string, string])[]): (readonly [string, string])[] =>
  entries.length === 0 ? [] : [[key, object(entries)]];

const printJoin = (join: Cube['joins'][number], names: Names): string =>
  object([...plain({ relationship: join.relationship }), ['sql', sqlOf(join.sql, names)]]);

function printMember({ name: _, sql, filters, drill_members, ...rest }: Member, names: Names): string {
  return object([
    ...plain(rest),
    ...(sql === undefined ? [] : [['sql', sqlOf(sql, names)] as const]),
    ...(filters === undefined
      ? []
      : [['filters', list(filters.map((one) => object([['sql', sqlOf(one.sql, names)]])))] as const]),
    ...(drill_members === undefined || drill_members.length === 0
      ? []
      : [['drill_members', list(drill_members.map((member) => `CUBE.${member}`))] as const]),
  ]);
}

function printRollUp({
  name: _,
  measures,
  dimensions,
  segments,
  time_dimension,
  ...rest
}: PreAggregation): string {
  const own = (members: readonly string[] | undefined): string | null =>
    members === undefined
      ? null
      : list(members.map((member) => (member.includes('.') ? member : `CUBE.${member}`)));
  const members: [string, string | null][] = [
    ['measures', own(measures)],
    ['dimensions', own(dimensions)],
    ['segments', own(segments)],
    ['time_dimension', time_dimension === undefined ? null : own([time_dimension])!.slice(1, -1)],
  ];
  return object([
    ...plain({ ...rest, type: 'rollup', external: false, allow_non_strict_date_range_match: false }),
    ...members.flatMap(([key, text]) => (text === null ? [] : [[key, text] as const])),
  ]);
}

function printView({ name, cubes, ...rest }: View): string {
  const parts = cubes.map(({ join_path, ...part }) => object([['join_path', join_path], ...plain(part)]));
  return `view(${JSON.stringify(name)}, ${object([...plain(rest), ['cubes', list(parts)]])});\n`;
}

const sqlOf = (sql: string, names: Names): string => `\`${template(sql, names)}\``;

/** Properties that are data, as JSON. */
const plain = (values: Readonly<Record<string, unknown>>): (readonly [string, string])[] =>
  Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, JSON.stringify(value)] as const],
  );

const object = (entries: readonly (readonly [string, string])[]): string =>
  `{${entries.map(([key, value]) => `\n${JSON.stringify(key)}: ${value}`).join(',')}\n}`;

const list = (items: readonly string[]): string => `[${items.join(', ')}]`;
