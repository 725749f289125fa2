import { type DocumentNode, type GraphQLSchema, Kind, OperationTypeNode, parse, validate } from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import { LRUCache } from 'lru-cache';
import { checkLimits, MAX_TOKENS, type QueryLimits } from './limits.ts';

/** Query texts kept with what they mean, of one schema. */
const MOST_QUERIES = 1000;
const MOST_CHARACTERS = 4 * 1024 * 1024;
const MOST_COMPILED = 200;
/** Fragments and directives are left to graphql-js: of how a compiler treats both together there are doubts. */
const UNUSUAL = /@|\.\.\./;

/** A valid query, with what is found out about it once. */
export interface KnownQuery {
  readonly document: DocumentNode;
  /** Throws GraphQLError where it is beyond the limits. */
  checkLimits(variables: Readonly<Record<string, unknown>>): void;
  /** Code that carries it out; null: it has none (yet). Asked for each time it is carried out. */
  compiled(): CompiledQuery | null;
}

/** The queries of one schema by their text. */
export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #limits: QueryLimits;
  readonly #compiledAfter: number;
  readonly #compiled = new LRUCache<KnownQuery, CompiledQuery>({ max: MOST_COMPILED });
  readonly #known = new LRUCache<string, { readonly query: KnownQuery | null }>({
    max: MOST_QUERIES,
    maxSize: MOST_CHARACTERS,
    sizeCalculation: (_, text) => text.length || 1,
  });

  /** `compiledAfter`: a query that has come so often is carried out by code of its own, several times as quick. */
  constructor(schema: GraphQLSchema, limits: QueryLimits, compiledAfter: number) {
    this.#schema = schema;
    this.#limits = limits;
    this.#compiledAfter = compiledAfter;
  }

  /** Null: it does not parse or is not valid. */
  of(text: string): KnownQuery | null {
    let found = this.#known.get(text);
    if (!found) {
      found = { query: this.#make(text) };
      this.#known.set(text, found);
    }
    return found.query;
  }

  #make(text: string): KnownQuery | null {
    const schema = this.#schema;
    const limits = this.#limits;
    const document = parsed(schema, text);
    if (!document) return null;
    let allowed = false;
    let left = canCompile(text, document) ? this.#compiledAfter : Number.POSITIVE_INFINITY;
    const query: KnownQuery = {
      document,
      checkLimits: (variables) => {
        if (!allowed) allowed = checkLimits(schema, document, variables, limits);
      },
      compiled: () => {
        const known = this.#compiled.get(query);
        if (known) return known;
        left -= 1;
        if (left > 0) return null;
        const made = compiled(schema, document);
        if (made) this.#compiled.set(query, made);
        else left = Number.POSITIVE_INFINITY;
        return made;
      },
    };
    return query;
  }
}

function parsed(schema: GraphQLSchema, query: string): DocumentNode | null {
  try {
    const document = parse(query, { maxTokens: MAX_TOKENS });
    return validate(schema, document).length === 0 ? document : null;
  } catch {
    return null;
  }
}

/** Null: left to graphql-js. */
function compiled(schema: GraphQLSchema, document: DocumentNode): CompiledQuery | null {
  try {
    const made = compileQuery(schema, document);
    return isCompiledQuery(made) ? made : null;
  } catch {
    return null;
  }
}

/** One query and nothing else: mutations cost more than carrying them out in another way would save. */
function canCompile(text: string, { definitions: [only, another] }: DocumentNode): boolean {
  return (
    only?.kind === Kind.OPERATION_DEFINITION &&
    only.operation === OperationTypeNode.QUERY &&
    another === undefined &&
    !UNUSUAL.test(text)
  );
}
