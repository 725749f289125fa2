import { randomUUID } from 'node:crypto';
import { type HubError, type SemanticSql, toHubError } from '#kernel';
import type { Admit, Outcome, Runner } from '../results/index.ts';
import { bindValues } from './bind.ts';
import type { Adapter, AdapterAnswer, CubeContext } from './library.ts';

/** One request on its way through Cube: with what it runs, and what was found out about its answer. */
export interface Request {
  readonly context: CubeContext;
  readonly params: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
  /** Results that are known do not count. */
  readonly fresh: boolean;
  /** Queries get Cube's default limit: whether there was more is to be told. */
  readonly defaultLimit: boolean;
  readonly admit: Admit;
  /** One for each statement, in the order of the queries. */
  readonly outcomes: Outcome[];
  truncated: boolean;
  /** What the warehouse or a limit said; Cube would only pass on its text. */
  failed: HubError | null;
}

/** Cube's limit of a query that names none. */
export const DEFAULT_LIMIT = 10_000;
const LIMITED = new RegExp(`\\bLIMIT ${DEFAULT_LIMIT}$`);

/** Requests under way, found again by the context that Cube passes through. */
export class Requests {
  readonly #open = new WeakMap<CubeContext, Request>();
  readonly #runner: Runner;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  open(model: string, request: Omit<Request, 'context' | 'outcomes' | 'truncated' | 'failed'>): Request {
    const context: CubeContext = { securityContext: { model }, requestId: randomUUID() };
    const opened: Request = { ...request, context, outcomes: [], truncated: false, failed: null };
    this.#open.set(context, opened);
    return opened;
  }

  /** In the place of Cube's orchestrator: what it plans runs on the warehouse as the request's principal. */
  adapterOf(context: CubeContext): Adapter {
    const request = this.#open.get(context);
    if (!request) throw new Error('Cube asks on behalf of nobody.');
    return { executeQuery: ({ query, values }) => this.#execute(request, bindValues(query, values)) };
  }

  /** What `query` would run, as it would run. */
  explain({ params }: Request, query: string, values: readonly unknown[]): SemanticSql {
    return this.#runner.explain({ sql: bindValues(query, values).trim(), params });
  }

  async #execute(request: Request, planned: string): Promise<AdapterAnswer> {
    const { params, signal, fresh, defaultLimit, admit } = request;
    const sql = planned.trim();
    const more = defaultLimit && LIMITED.test(sql);
    const statement = more ? sql.replace(LIMITED, `LIMIT ${DEFAULT_LIMIT + 1}`) : sql;
    const place = request.outcomes.length;
    request.outcomes.length += 1;
    let outcome: Outcome;
    try {
      outcome = await this.#runner.run({ sql: statement, params, signal, fresh }, admit);
    } catch (thrown) {
      request.failed ??= toHubError(thrown);
      throw thrown;
    }
    if (more && outcome.rows.length > DEFAULT_LIMIT) {
      request.truncated = true;
      outcome = { ...outcome, rows: outcome.rows.slice(0, DEFAULT_LIMIT) };
    }
    request.outcomes[place] = outcome;
    const { names } = outcome;
    return {
      data: outcome.rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]]))),
      lastRefreshTime: new Date(outcome.readAt),
      dataSource: 'default',
      dbType: 'clickhouse',
      external: false,
      slowQuery: false,
    };
  }
}
