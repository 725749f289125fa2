import { randomUUID } from 'node:crypto';
import { type AccessProfile, type HubError, type SemanticSql, toHubError } from '#kernel';
import type { Admit, Outcome, Runner, Shortcut } from '../results/index.ts';
import type { Alternative, Candidate, QuestionLog, Rollups } from '../rollups/index.ts';
import { bindValues } from './bind.ts';
import type { AdapterAnswer, PlannedQuery } from './library.ts';

/** One request on its way through Cube: with what it runs, and what was found out about its answer. */
export interface Request {
  readonly id: string;
  readonly profile: AccessProfile;
  /** False: nothing is read from roll-ups. */
  readonly rollups: boolean;
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

/** Requests under way; those that the planner has statements run for are found by their id. */
export class Requests {
  readonly #serving = new Map<string, Request>();
  readonly #runner: Runner;
  readonly #rollups: Rollups | undefined;
  readonly #questions: QuestionLog | undefined;

  constructor(runner: Runner, rollups?: Rollups, questions?: QuestionLog) {
    this.#runner = runner;
    this.#rollups = rollups;
    this.#questions = questions;
  }

  open(request: Omit<Request, 'id' | 'outcomes' | 'truncated' | 'failed'>): Request {
    return { ...request, id: randomUUID(), outcomes: [], truncated: false, failed: null };
  }

  /** While `work` is under way, the planner has statements run on behalf of the request. */
  async serving<T>(request: Request, work: () => Promise<T>): Promise<T> {
    this.#serving.set(request.id, request);
    try {
      return await work();
    } finally {
      this.#serving.delete(request.id);
    }
  }

  /** In the place of Cube's orchestrator; null for a request that is not served here. */
  runFor(id: string, planned: PlannedQuery): Promise<AdapterAnswer> | null {
    const request = this.#serving.get(id);
    return request ? this.run(request, planned).then(adapterAnswer) : null;
  }

  /** What `query` would run, as it would run. */
  explain({ params }: Request, query: string, values: readonly unknown[]): SemanticSql {
    return this.#runner.explain({ sql: bindValues(query, values).trim(), params });
  }

  /** Runs what Cube has planned on the warehouse as the request's principal. */
  async run(request: Request, planned: PlannedQuery): Promise<Outcome> {
    const { params, signal, fresh, defaultLimit, admit } = request;
    const sql = bindValues(planned.query, planned.values).trim();
    const more = defaultLimit && LIMITED.test(sql);
    const limited = (text: string): string =>
      more ? text.replace(LIMITED, `LIMIT ${DEFAULT_LIMIT + 1}`) : text;
    const statement = limited(sql);
    const shortcut = this.#shortcut(request, planned, statement, limited);
    const began = performance.now();
    const place = request.outcomes.length;
    request.outcomes.length += 1;
    let outcome: Outcome;
    try {
      outcome = await this.#runner.run(
        { sql: statement, params, signal, fresh, ...(shortcut ? { shortcut } : {}) },
        admit,
      );
    } catch (thrown) {
      request.failed ??= toHubError(thrown);
      throw request.failed;
    }
    if (more && outcome.rows.length > DEFAULT_LIMIT) {
      request.truncated = true;
      outcome = { ...outcome, rows: outcome.rows.slice(0, DEFAULT_LIMIT) };
    }
    request.outcomes[place] = outcome;
    if (!outcome.cached && outcome.rollup === null) this.#note(planned, outcome, began);
    return outcome;
  }

  /** What was read from the tables themselves is counted, for advice. */
  #note({ preAggregations = [] }: PlannedQuery, { rowsRead }: Outcome, began: number): void {
    for (const one of preAggregations)
      if ('asked' in one) this.#questions?.note(one.asked, rowsRead, performance.now() - began);
  }

  #shortcut(
    { profile, rollups: wanted, params }: Request,
    { preAggregations = [] }: PlannedQuery,
    raw: string,
    limited: (sql: string) => string,
  ): (() => Promise<Shortcut | null>) | null {
    const rollups = this.#rollups;
    if (!rollups || !wanted) return null;
    for (const one of preAggregations) if ('failed' in one) rollups.unplanned(one.failed, raw);
    const found = preAggregations.filter((one) => 'load' in one);
    if (found.length === 0) return null;
    return async () => {
      const instead = await rollups.instead(
        profile,
        found.map((one) => boundTo(one, limited)),
      );
      return (
        instead && {
          rollup: instead.rollup,
          statements: [...(instead.quick === null ? [] : [instead.quick]), instead.sql],
          answered: () => rollups.hit(instead, raw, params),
          failed: (thrown, isLast) =>
            isLast ? rollups.fellBack(instead, thrown) : rollups.notQuick(instead, thrown),
        }
      );
    };
  }
}

/** The alternative with its values in its statements. */
export const boundTo = (one: Alternative, limited = (sql: string): string => sql): Candidate => ({
  ...one,
  question: limited(bindValues(one.question.sql, one.question.values).trim()),
  load: bindValues(one.load.sql, one.load.values).trim(),
});

const adapterAnswer = ({ names, rows, readAt }: Outcome): AdapterAnswer => ({
  data: rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]]))),
  lastRefreshTime: new Date(readAt),
  dataSource: 'default',
  dbType: 'clickhouse',
  external: false,
  slowQuery: false,
});
