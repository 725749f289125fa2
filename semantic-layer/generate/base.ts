import type { AccessProfile, EntityDescription, WarehouseTable } from '#kernel';
import { governed } from './governed.ts';
import { joinSql, type Link, linksOf, roleOf } from './joins.ts';
import { tableMembers } from './members.ts';
import { cubeName, humanize, uniqueNames } from './names.ts';
import type { Cube, Join } from './types.ts';

export interface BaseInput {
  readonly tables: readonly WarehouseTable[];
  readonly entities: readonly EntityDescription[];
  /** Source (and so database) in which the apps' tables are; a like-named table of another one is none of theirs. */
  readonly appsSource: string;
}

/** The hub's own operational database. */
export const APPS_SOURCE = 'business';

interface Named {
  readonly table: WarehouseTable;
  readonly entity: EntityDescription | undefined;
  readonly name: string;
}

/**
 * A cube for every table the profile may read, in the order of topics. A second reference to the same table,
 * and one to the own table, leads to a cube of its own (`<cube>_as_<role>`) without further joins: Cube knows
 * one join from one cube to another.
 */
export function baseCubes(input: BaseInput, profile: AccessProfile): Cube[] {
  const { tables } = input;
  const named = nameTables(input);
  const byTopic = new Map(named.map((one) => [one.table.topic, one]));
  const topics = new Map(tables.map((table) => [table.topic, table]));
  const entityTables = new Map(
    named.flatMap(({ entity, table }) => (entity ? [[`${entity.app}.${entity.name}`, table] as const] : [])),
  );
  const cubes = new Map<string, Cube>();
  const roles = new Map<string, Cube>();
  for (const one of named) {
    const links = linksOf(one.table, one.entity, topics, entityTables);
    const cube = baseCube(one, links, profile);
    if (!cube) continue;
    const joins: Join[] = [];
    const taken = new Set([cube.name]);
    for (const link of preferred(links, byTopic)) {
      const target = byTopic.get(link.to)!;
      let to = target.name;
      if (taken.has(to)) {
        to = `${target.name}_as_${roleOf(link)}`;
        const other = baseCube(target, linksOf(target.table, target.entity, topics, entityTables), profile);
        if (!other || cubes.has(to) || taken.has(to)) continue;
        roles.set(to, {
          ...other,
          name: to,
          title: `${other.title} (${humanize(roleOf(link)).toLowerCase()})`,
        });
      }
      taken.add(to);
      joins.push({ name: to, relationship: 'many_to_one', sql: joinSql(link, to) });
    }
    cubes.set(cube.name, { ...cube, joins });
  }
  return [...cubes.values(), ...[...roles.values()].filter(({ name }) => !cubes.has(name))];
}

/** Names of the cubes of all tables, whoever may see them. */
export const baseNames = ({
  tables,
  entities,
  appsSource = APPS_SOURCE,
}: Partial<BaseInput> & Pick<BaseInput, 'tables' | 'entities'>): string[] =>
  nameTables({ tables, entities, appsSource }).map(({ name }) => name);

/** The reference named as the entity it leads to comes first: it gets the plain cube. */
function preferred(links: readonly Link[], byTopic: ReadonlyMap<string, Named>): Link[] {
  const rank = (link: Link): number => (roleOf(link) === byTopic.get(link.to)!.entity?.name ? 0 : 1);
  return [...links].sort((a, b) => rank(a) - rank(b));
}

function nameTables({ tables, entities, appsSource }: BaseInput): Named[] {
  const ofTable = new Map(entities.map((entity) => [`${entity.schema}.${entity.table}`, entity]));
  const unique = uniqueNames();
  const sorted = [...tables].sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0));
  // Apps' tables are named first: a foreign table never takes the name of an entity away.
  const named = sorted.map((table) => {
    const { source, schema, table: name } = table.schema;
    return { table, entity: source === appsSource ? ofTable.get(`${schema}.${name}`) : undefined };
  });
  const ordered = [...named.filter(({ entity }) => entity), ...named.filter(({ entity }) => !entity)];
  return ordered.map((one) => ({ ...one, name: unique(cubeName(one.table, one.entity)) }));
}

function baseCube(
  { table, entity, name }: Named,
  links: readonly Link[],
  profile: AccessProfile,
): Cube | null {
  const from = governed(table, profile);
  if (!from) return null;
  const { schema } = table;
  const many = entity?.plural ?? humanize(schema.table);
  const key =
    schema.keyRule === 'primary-key' && schema.key.every((one) => isPlain(from, one)) ? schema.key : [];
  const description = entity?.description ?? schema.comment;
  const members = tableMembers({
    columns: schema.columns.filter((column) => from.columns.has(column.name)),
    masked: from.masked,
    key,
    keys: new Set([...schema.key, ...links.flatMap(({ columns }) => columns)]),
    entity,
    label: { one: entity?.label ?? many, many },
  });
  return {
    name,
    ...from,
    title: many,
    description,
    meta: {
      topic: table.topic,
      ...(entity ? { app: entity.app, entity: entity.name } : {}),
      ...(entity?.titleField !== undefined && from.columns.has(entity.titleField)
        ? { title_dimension: entity.titleField }
        : {}),
      ...(description === undefined ? {} : { ai_context: description }),
    },
    joins: [],
    ...members,
    segments: [],
    pre_aggregations: [],
  };
}

const isPlain = (
  from: { columns: ReadonlySet<string>; masked: ReadonlySet<string> },
  name: string,
): boolean => from.columns.has(name) && !from.masked.has(name);
