import {
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import type { EntityModel } from '../definitions/index.ts';
import type { Selection } from '../runtime/types.ts';

/** Field of a type's `extensions`: which field of the record its resolver reads. */
export const COLUMN = 'column';

/** By schema and the field of a query, whose document is kept for later requests; then by entity and path. */
const known = new WeakMap<GraphQLSchema, WeakMap<FieldNode, Map<string, Selection>>>();

/**
 * The fields of `entity` that a resolver's answer needs, fragments followed; always with `id` and `version`. The
 * same field of a query gives the same object.
 */
export function selectionOf(
  info: GraphQLResolveInfo,
  entity: EntityModel,
  path: readonly string[] = [],
): Selection {
  const [node, another] = info.fieldNodes;
  if (node === undefined || another !== undefined) return compute(info, entity, path);
  let byNode = known.get(info.schema);
  if (!byNode) {
    byNode = new WeakMap();
    known.set(info.schema, byNode);
  }
  let byPlace = byNode.get(node);
  if (!byPlace) {
    byPlace = new Map();
    byNode.set(node, byPlace);
  }
  const place = `${entity.app}.${entity.name} ${path.join('.')}`;
  let found = byPlace.get(place);
  if (!found) {
    found = compute(info, entity, path);
    byPlace.set(place, found);
  }
  return found;
}

function compute(info: GraphQLResolveInfo, entity: EntityModel, path: readonly string[]): Selection {
  const wanted = new Set<string>();
  const type = getNamedType(info.returnType);
  for (const node of info.fieldNodes)
    if (node.selectionSet) walk(node.selectionSet, type, path, info, wanted);
  const known = new Set([...entity.fields.map((field) => field.name), ...systemFields(entity)]);
  return Object.fromEntries([...wanted].filter((name) => known.has(name)).map((name) => [name, true]));
}

/** What a record has besides its own fields. */
export function systemFields(entity: EntityModel): string[] {
  return [
    'id',
    'version',
    'created_at',
    'updated_at',
    'created_by',
    ...(entity.numbering ? [entity.numbering.field] : []),
    ...(entity.states ? [entity.states.field] : []),
    ...(entity.owner ? [entity.owner.entity, 'position'] : []),
  ];
}

/** `path` leads from the answer to the record: [] = itself, ['nodes'] and ['edges', 'node'] in a connection. */
function walk(
  set: SelectionSetNode,
  type: GraphQLNamedType,
  path: readonly string[],
  info: GraphQLResolveInfo,
  into: Set<string>,
): void {
  for (const node of set.selections) {
    if (node.kind === Kind.FRAGMENT_SPREAD) {
      const fragment = info.fragments[node.name.value];
      if (fragment) walk(fragment.selectionSet, type, path, info, into);
    } else if (node.kind === Kind.INLINE_FRAGMENT) {
      walk(node.selectionSet, type, path, info, into);
    } else if (path.length > 0) {
      if (node.name.value === path[0] && node.selectionSet) {
        const next = isObjectType(type) ? type.getFields()[node.name.value] : undefined;
        walk(node.selectionSet, next ? getNamedType(next.type) : type, path.slice(1), info, into);
      }
    } else {
      const field = isObjectType(type) ? type.getFields()[node.name.value] : undefined;
      const column = field?.extensions[COLUMN];
      if (typeof column === 'string') into.add(column);
    }
  }
}

/** The union of two selections. */
export const merged = (one: Selection, other: Selection): Selection => ({ ...one, ...other });
