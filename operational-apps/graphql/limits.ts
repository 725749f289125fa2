import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql';

export interface QueryLimits {
  /** Fields inside fields. */
  readonly depth: number;
  /** Records a query may touch at most, by what it asks for. */
  readonly cost: number;
  /** Fields of one level with aliases, and operations' root fields. */
  readonly aliases: number;
}

export const DEFAULT_LIMITS: QueryLimits = { depth: 12, cost: 20_000, aliases: 100 };

/** Words and signs of a query's text. */
export const MAX_TOKENS = 8000;
/** Rows assumed of a list whose size the query does not say. */
const DEFAULT_ROWS = 50;
/** Deeper than this nothing is looked at: fragments in fragments multiply. */
const MAX_VISITED = 20_000;

/**
 * Refuses a query that would cost too much before anything runs: each record costs 1, a list costs its size times
 * what each row costs. Sizes come from `first` and `last`, also when given by a variable. Returns whether variables have
 * no part in that, so that it holds for every further time. Throws GraphQLError with code QUERY_TOO_DEEP or
 * QUERY_TOO_COSTLY.
 */
export function checkLimits(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
  limits: QueryLimits,
): boolean {
  let fixed = true;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions)
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  for (const operation of document.definitions) {
    if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
    const type = schema.getRootType(operation.operation);
    if (!type) continue;
    const walk = { limits, variables, fragments, budget: { visited: 0, variables: 0 } };
    const cost = costOf(operation.selectionSet, type, 1, walk);
    if (walk.budget.variables > 0) fixed = false;
    if (cost > limits.cost)
      throw refused(
        `The query may touch ${Math.round(cost).toLocaleString('en')} records; the limit is ${limits.cost.toLocaleString('en')}.`,
        'QUERY_TOO_COSTLY',
        'Ask for smaller pages or fewer nested lists.',
      );
  }
  return fixed;
}

interface Walk {
  readonly limits: QueryLimits;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Selections looked at, and sizes that came from variables. */
  readonly budget: { visited: number; variables: number };
}

function costOf(set: SelectionSetNode, type: GraphQLOutputType, depth: number, walk: Walk): number {
  if (depth > walk.limits.depth)
    throw refused(
      `The query is nested deeper than ${walk.limits.depth} fields.`,
      'QUERY_TOO_DEEP',
      'Ask in several queries.',
    );
  const named = getNamedType(type);
  let cost = 0;
  let fields = 0;
  for (const node of set.selections) {
    walk.budget.visited += 1;
    if (walk.budget.visited > MAX_VISITED)
      throw refused('The query has too many fields.', 'QUERY_TOO_COSTLY', 'Ask in several queries.');
    if (node.kind === Kind.FRAGMENT_SPREAD) {
      const fragment = walk.fragments.get(node.name.value);
      // A fragment in a circle is refused by GraphQL's own rules; the depth ends the walk until then.
      if (fragment) cost += costOf(fragment.selectionSet, type, depth + 1, walk);
    } else if (node.kind === Kind.INLINE_FRAGMENT) {
      cost += costOf(node.selectionSet, type, depth, walk);
    } else {
      fields += node.alias ? 1 : 0;
      const field = isObjectType(named)
        ? (named as GraphQLObjectType).getFields()[node.name.value]
        : undefined;
      if (field) cost += costOfField(node, field, depth, walk);
    }
  }
  if (fields > walk.limits.aliases)
    throw refused(
      `More than ${walk.limits.aliases} aliases in one place.`,
      'QUERY_TOO_COSTLY',
      'Use lists instead of one alias per record.',
    );
  return cost;
}

function costOfField(
  node: FieldNode,
  field: GraphQLField<unknown, unknown>,
  depth: number,
  walk: Walk,
): number {
  if (!node.selectionSet) return 0;
  const below = costOf(node.selectionSet, field.type, depth + 1, walk);
  const paged = field.args.some((arg) => arg.name === 'first' || arg.name === 'last');
  if (paged) return rowsOf(node, walk) * (1 + below);
  const bare = isNonNullType(field.type) ? field.type.ofType : field.type;
  const isList = isListType(bare);
  // The lists inside a connection were counted with the connection.
  if (isList && (node.name.value === 'nodes' || node.name.value === 'edges')) return below;
  return isList ? 10 * (1 + below) : 1 + below;
}

function rowsOf(node: FieldNode, walk: Walk): number {
  const given = node.arguments?.find((arg) => arg.name.value === 'first' || arg.name.value === 'last')?.value;
  if (given?.kind === Kind.VARIABLE) walk.budget.variables += 1;
  const value =
    given?.kind === Kind.INT
      ? Number(given.value)
      : given?.kind === Kind.VARIABLE
        ? Number(walk.variables[given.name.value] ?? DEFAULT_ROWS)
        : DEFAULT_ROWS;
  return Number.isFinite(value) ? Math.min(500, Math.max(1, value)) : DEFAULT_ROWS;
}

const refused = (message: string, code: string, next: string): GraphQLError =>
  new GraphQLError(message, { extensions: { code, next } });
