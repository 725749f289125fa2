import { type GraphQLFieldConfig, GraphQLID, GraphQLNonNull, GraphQLObjectType } from 'graphql';
import type { EntityModel } from '../definitions/index.ts';
import type { Filter, RecordRow, Selection } from '../runtime/types.ts';
import { ChangeKindType } from './common-types.ts';
import type { GraphqlContext } from './context.ts';
import type { InputTypes } from './input-types.ts';
import { namesOf, pathOf } from './names.ts';
import type { ObjectTypes } from './object-types.ts';
import { selectionOf } from './selection.ts';

interface Change {
  readonly kind: 'created' | 'updated' | 'gone';
  readonly id: string;
  readonly record: RecordRow | null;
}

interface Args {
  readonly id?: string;
  readonly filter?: Filter;
}

/** Records a subscription remembers having shown, so that it can say when they are gone. */
const MAX_SHOWN = 50_000;

/** One subscription per entity, fed from the change stream. */
export function subscriptionType(
  entities: readonly EntityModel[],
  objects: ObjectTypes,
  inputs: InputTypes,
): GraphQLObjectType {
  return new GraphQLObjectType({
    name: 'Subscription',
    fields: () =>
      Object.fromEntries(
        entities.map((entity) => [`${namesOf(entity).one}Changed`, changed(entity, objects, inputs)]),
      ),
  });
}

function changed(
  entity: EntityModel,
  objects: ObjectTypes,
  inputs: InputTypes,
): GraphQLFieldConfig<unknown, GraphqlContext> {
  return {
    type: new GraphQLNonNull(
      new GraphQLObjectType<Change>({
        name: `${namesOf(entity).type}Change`,
        fields: () => ({
          kind: { type: new GraphQLNonNull(ChangeKindType) },
          id: { type: new GraphQLNonNull(GraphQLID) },
          record: { type: objects.type(pathOf(entity)), description: 'As it is now; null when gone.' },
        }),
      }),
    ),
    description: `Changes of ${entity.plural} as they are committed.`,
    args: { id: { type: GraphQLID }, filter: { type: inputs.filter(entity) } },
    subscribe: (_, args: Args, context, info) =>
      follow(entity, args, context, selectionOf(info, entity, ['record'])),
    resolve: (change) => change,
  };
}

/**
 * The stream says which row changed; what the subscriber sees is read with their own rights, like any other
 * read. So a change of a row they may not see, or have not asked for, is never told; when a row they were shown
 * is no longer among those, it is GONE.
 */
function follow(
  entity: EntityModel,
  args: Args,
  context: GraphqlContext,
  select: Selection,
): AsyncIterableIterator<Change> {
  const ended = new AbortController();
  const changes = changesOf(entity, args, context, select, ended.signal);
  // A generator that waits cannot be returned from; ending its wait can be done at any time.
  return {
    next: () => changes.next(),
    return: () => {
      ended.abort();
      return changes.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* changesOf(
  entity: EntityModel,
  args: Args,
  context: GraphqlContext,
  select: Selection,
  signal: AbortSignal,
): AsyncGenerator<Change, undefined> {
  const path = pathOf(entity);
  const shown = new Set<string>();
  const { records, feed } = context;
  const stream = feed.subscribe([path], signal);
  // Rights are checked before the stream opens: a refusal is an error, not silence.
  const first = await records.list(path, {
    first: 1,
    select: { id: true },
    ...(args.id === undefined
      ? args.filter && { filter: args.filter }
      : { filter: { and: [{ id: { eq: args.id } }, ...(args.filter ? [args.filter] : [])] } }),
  });
  if (args.id !== undefined && first.rows.length > 0) shown.add(args.id);
  for await (const change of stream) {
    if (args.id !== undefined && change.id !== args.id) continue;
    if (change.tenant !== null && entity.tenantScoped && change.tenant !== records.tenant) continue;
    const record =
      change.operation === 'deleted' ? null : await read(context, path, change.id, args.filter, select);
    if (record) {
      const known = shown.has(change.id);
      if (!known && shown.size >= MAX_SHOWN) shown.delete(shown.values().next().value!);
      shown.add(change.id);
      yield { kind: change.operation === 'created' && !known ? 'created' : 'updated', id: change.id, record };
    } else if (shown.delete(change.id)) {
      yield { kind: 'gone', id: change.id, record: null };
    }
  }
  return undefined;
}

async function read(
  { records }: GraphqlContext,
  path: string,
  id: string,
  filter: Filter | undefined,
  select: Selection,
): Promise<RecordRow | null> {
  if (!filter) return records.get(path, id, select);
  const page = await records.list(path, { filter: { and: [{ id: { eq: id } }, filter] }, first: 1, select });
  return page.rows[0]?.record ?? null;
}
