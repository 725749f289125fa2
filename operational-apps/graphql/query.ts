import {
  type GraphQLFieldConfigMap,
  GraphQLID,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
} from 'graphql';
import type { EntityModel } from '../definitions/index.ts';
import type { AggregateQuery, RecordRow } from '../runtime/types.ts';
import { AggregateRowType } from './common-types.ts';
import type { GraphqlContext } from './context.ts';
import type { InputTypes } from './input-types.ts';
import { namesOf, pathOf } from './names.ts';
import type { ObjectTypes } from './object-types.ts';
import { connectionArgs, type ListArgs, listQuery, toConnection } from './pages.ts';
import { personalReads } from './personal.ts';
import { JsonType } from './scalars.ts';
import { selectionOf } from './selection.ts';

type Fields = GraphQLFieldConfigMap<unknown, GraphqlContext>;

const texts = new GraphQLList(new GraphQLNonNull(GraphQLString));

/** Reading: each entity by id, as a list and aggregated; search over all; what one may do. */
export function queryType(
  entities: readonly EntityModel[],
  objects: ObjectTypes,
  inputs: InputTypes,
): GraphQLObjectType {
  return new GraphQLObjectType({
    name: 'Query',
    fields: () => ({
      ...Object.assign({}, ...entities.map((entity) => reads(entity, objects, inputs))),
      search: search(),
      ...personalReads(),
      me: me(),
    }),
  });
}

function reads(entity: EntityModel, objects: ObjectTypes, inputs: InputTypes): Fields {
  const { one, many } = namesOf(entity);
  const path = pathOf(entity);
  return {
    [one]: {
      type: objects.type(path),
      description: entity.description ?? entity.label,
      args: { id: { type: new GraphQLNonNull(GraphQLID) } },
      resolve: (_, { id }: { id: string }, { records }, info) =>
        records.get(path, id, selectionOf(info, entity)),
    },
    [many]: {
      type: new GraphQLNonNull(objects.connection(path)),
      description: entity.plural,
      args: connectionArgs(inputs, entity, 'root'),
      resolve: async (_, args: ListArgs, { records }, info) => {
        const query = listQuery(args, info, entity);
        return toConnection(await records.list(path, query), query);
      },
    },
    [`${many}Aggregate`]: {
      type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(AggregateRowType))),
      description: `Figures over ${entity.plural}.`,
      args: {
        filter: { type: inputs.filter(entity) },
        by: {
          type: texts,
          description: 'Fields; dates as `placed_at:month` (day, week, month, quarter, year).',
        },
        measures: {
          type: new GraphQLNonNull(texts),
          description: '`count`, `sum:total`, `avg:…`, `min:…`, `max:…`.',
        },
        limit: { type: GraphQLInt },
      },
      resolve: async (_, args: AggregateQuery, { records }) => {
        const rows = await records.aggregate(path, args);
        return rows.map((row) => ({
          by: Object.fromEntries((args.by ?? []).map((name) => [name, row[name] ?? null])),
          values: Object.fromEntries(args.measures.map((name) => [name, row[name] ?? null])),
        }));
      },
    },
  };
}

const search = (): Fields[string] => ({
  type: new GraphQLNonNull(
    new GraphQLList(
      new GraphQLNonNull(
        new GraphQLObjectType<{ entity: string; id: string; title: string }>({
          name: 'SearchHit',
          fields: {
            entity: { type: new GraphQLNonNull(GraphQLString) },
            id: { type: new GraphQLNonNull(GraphQLID) },
            title: { type: new GraphQLNonNull(GraphQLString) },
          },
        }),
      ),
    ),
  ),
  description: 'Records of all entities one may read whose search fields have the text.',
  args: {
    text: { type: new GraphQLNonNull(GraphQLString) },
    entities: { type: texts },
    limit: { type: GraphQLInt },
  },
  resolve: (_, { text, ...options }: { text: string; entities?: string[]; limit?: number }, { records }) =>
    records.search(text, options),
});

const me = (): Fields[string] => ({
  type: new GraphQLNonNull(
    new GraphQLObjectType<RecordRow, GraphqlContext>({
      name: 'Me',
      fields: {
        user: { type: new GraphQLNonNull(GraphQLString) },
        tenant: { type: GraphQLString },
        roles: { type: new GraphQLNonNull(texts) },
        may: {
          type: new GraphQLNonNull(JsonType),
          description: 'Rights over one entity: operations, transitions, actions, and each field.',
          args: { entity: { type: new GraphQLNonNull(GraphQLString) } },
          resolve: (_, { entity }: { entity: string }, { records }) => records.rights(entity),
        },
      },
    }),
  ),
  resolve: (_, __, { records }) => records.principal,
});
