import {
  GraphQLError,
  type GraphQLFieldConfigArgumentMap,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLResolveInfo,
  GraphQLString,
} from 'graphql';
import type { EntityModel } from '../definitions/index.ts';
import type { Filter, ListQuery, Page, RecordRow } from '../runtime/types.ts';
import { PageInfoType } from './common-types.ts';
import type { InputTypes } from './input-types.ts';
import { merged, selectionOf } from './selection.ts';

export interface ListArgs {
  readonly filter?: Filter | null;
  readonly sort?: readonly string[] | null;
  readonly search?: string | null;
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

/** Arguments of a list; nested ones show the first rows of each parent, further pages are lists of their own. */
export function connectionArgs(
  inputs: InputTypes,
  entity: EntityModel,
  place: 'root' | 'nested',
): GraphQLFieldConfigArgumentMap {
  return {
    filter: { type: inputs.filter(entity) },
    sort: { type: new GraphQLList(new GraphQLNonNull(inputs.sort(entity))) },
    first: { type: GraphQLInt, description: 'Rows, 1 to 500; 50 if absent.' },
    ...(place === 'nested'
      ? {}
      : {
          search: { type: GraphQLString, description: 'Text to be found in the search fields.' },
          after: { type: GraphQLString, description: 'Cursor of the row before the page.' },
          last: { type: GraphQLInt, description: 'Rows before `before`.' },
          before: { type: GraphQLString },
        }),
  };
}

/** A connection's arguments and selection as a query of the records engine. */
export function listQuery(args: ListArgs, info: GraphQLResolveInfo, entity: EntityModel): ListQuery {
  const backward = args.last != null || args.before != null;
  if (backward && (args.first != null || args.after != null))
    throw new GraphQLError('Give `first` and `after`, or `last` and `before`.', {
      extensions: { code: 'CURSOR_INVALID' },
    });
  const rows = backward ? args.last : args.first;
  const after = backward ? args.before : args.after;
  const wants = (name: string): boolean =>
    info.fieldNodes.some((node) =>
      node.selectionSet?.selections.some((one) => 'name' in one && one.name.value === name),
    );
  return {
    select: merged(selectionOf(info, entity, ['nodes']), selectionOf(info, entity, ['edges', 'node'])),
    ...(args.filter ? { filter: args.filter } : {}),
    ...(args.sort ? { sort: args.sort } : {}),
    ...(args.search ? { search: args.search } : {}),
    ...(rows == null ? {} : { first: rows }),
    ...(after == null ? {} : { after }),
    ...(backward ? { backward } : {}),
    ...(wants('totalCount') ? { count: true } : {}),
  };
}

/** A page in the form of the Relay cursor connections specification. */
export function toConnection(page: Page, query: ListQuery): Record<string, unknown> {
  const cursors = page.rows.map((row) => row.cursor);
  const further = query.after !== undefined;
  return {
    nodes: page.rows.map((row) => row.record),
    edges: page.rows.map(({ cursor, record }) => ({ cursor, node: record })),
    pageInfo: {
      hasNextPage: query.backward ? further : page.hasMore,
      hasPreviousPage: query.backward ? page.hasMore : further,
      startCursor: cursors[0] ?? null,
      endCursor: cursors.at(-1) ?? null,
    },
    totalCount: page.total ?? null,
    totalIsMore: page.totalIsMore ?? false,
  };
}

export function connectionType(node: GraphQLObjectType): GraphQLObjectType {
  const edge = new GraphQLObjectType<{ cursor: string; node: RecordRow }>({
    name: `${node.name}Edge`,
    fields: { cursor: { type: new GraphQLNonNull(GraphQLString) }, node: { type: new GraphQLNonNull(node) } },
  });
  return new GraphQLObjectType({
    name: `${node.name}Connection`,
    fields: {
      nodes: { type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(node))) },
      edges: { type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(edge))) },
      pageInfo: { type: new GraphQLNonNull(PageInfoType) },
      totalCount: { type: GraphQLInt, description: 'Rows in all, counted up to 10,000.' },
    },
  });
}
