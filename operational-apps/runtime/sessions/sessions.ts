import pg from 'pg';
import { type Logger, userError } from '#kernel';
import { APP_ROLE, EFFECTS_ROLE } from '../../planner/database-roles.ts';
import type { Client } from '../types.ts';
import { Connections } from './connections.ts';
import type { Param } from './outbox.ts';
import { forgetPrepared, type Outcome, runPipeline, type Statement } from './pipeline.ts';

/** Who acts, as the database's policies see it. */
export interface Identity {
  readonly tenant: string;
  readonly user: string;
  /** All of them, with what they include. */
  readonly roles: readonly string[];
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

export interface SessionsOptions {
  /** Of the engine's own login; see `prepareAppsLogin`. */
  readonly url: string;
  readonly logger: Logger;
  /** Connections; default 10. */
  readonly connections?: number;
  /** Calls that may wait for a connection before the next is refused with BUSY; default 200. */
  readonly queue?: number;
  /** Longest a statement may run; default 15,000 ms. */
  readonly statementTimeoutMs?: number;
}

/** A statement of a writer. */
export interface Step extends Statement {
  /** By the app instead of the principal: every row of the tenant. */
  readonly elevated?: boolean;
}

/** One transaction of a writer. */
export interface Transaction {
  /** Sends it with the next `run` or with the commit; its error comes out there. */
  later(step: Step): void;
  /** Everything put off so far, then this, in one round trip. */
  run(step: Step): Promise<Outcome>;
  /** Several in one round trip: their outcomes in order. */
  runAll(steps: readonly Step[]): Promise<Outcome[]>;
  /** All steps that `work` sends are elevated. */
  elevated<T>(work: () => Promise<T>): Promise<T>;
  /** Sends it together with the commit; `then` gets its outcome once that has succeeded. */
  atCommit(step: Step, then: (outcome: Outcome) => void): void;
}

export interface Sessions {
  /** One round trip, read-only. */
  read(identity: Identity, statement: Statement, options?: ReadOptions): Promise<Outcome>;
  /** Read-only, several statements on one snapshot each, one round trip. */
  readAll(identity: Identity, statements: readonly Statement[], options?: ReadOptions): Promise<Outcome[]>;
  /** Committed when `work` ends well. Done again, `work` included, after a deadlock or a serialisation failure. */
  write<T>(identity: Identity, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** One statement as the app, in a transaction of its own. */
  alone(identity: Identity, statement: Statement): Promise<Outcome>;
  /** A read-only transaction that stays open while rows are fetched piece by piece. */
  cursor(identity: Identity, statement: Statement, rows: number): AsyncIterable<Outcome['rows']>;
  /** A statement without any settings: what the policies let through then. For tests. */
  bare(statement: Statement): Promise<Outcome>;
  close(): Promise<void>;
}

export interface ReadOptions {
  readonly client?: Client | undefined;
  /** As the app instead of the principal: for tests of the engine's own checks only. */
  readonly elevated?: boolean;
}

const ATTEMPTS = 5;
/** Deadlock, serialisation failure: the same transaction may succeed if done again. */
const CONFLICTS = new Set(['40001', '40P01']);
/** The tables changed under a prepared statement. */
const STALE_PLAN = new Set(['0A000', '26000']);

const SETTINGS = [
  "set_config('bac.tenant', $1, true)",
  "set_config('bac.user', $2, true)",
  "set_config('bac.roles', $3, true)",
  "set_config('bac.attributes', $4, true)",
  "set_config('bac.actor', $2, true)",
  "set_config('role', $5, true)",
];
/** Set, and nothing of it sent back. */
const set = (calls: readonly string[]): string => `SELECT FROM (SELECT ${calls.join(', ')} OFFSET 0) AS s`;
const WRITING = set(SETTINGS);
const READ_ONLY = [...SETTINGS, "set_config('transaction_read_only', 'on', true)"];
const READING = set(READ_ONLY);
/** And plans by the text alone; the server's own guess makes many short reads cost less to run than to plan. */
const READING_BY_PLAN = set([...READ_ONLY, "set_config('plan_cache_mode', 'force_generic_plan', true)"]);

/** Who acts, for the transaction at hand; with `READING` it can change nothing. */
const settings = (identity: Identity, role: string, text: string = WRITING): Statement => {
  let said = inWords.get(identity);
  if (!said) {
    const { tenant, user, roles, attributes } = identity;
    said = [tenant, user, roles.join(','), JSON.stringify(attributes)];
    inWords.set(identity, said);
  }
  return { text, values: [...said, role], keep: true };
};
/** An identity as the settings take it. */
const inWords = new WeakMap<Identity, readonly string[]>();

export function createSessions(options: SessionsOptions): Sessions {
  const { logger, connections: max = 10, queue = 200, statementTimeoutMs = 15_000 } = options;
  const parameters = {
    role: APP_ROLE,
    TimeZone: 'UTC',
    DateStyle: 'ISO',
    IntervalStyle: 'iso_8601',
    extra_float_digits: '1',
    statement_timeout: `${statementTimeoutMs}`,
    lock_timeout: '5000',
    idle_in_transaction_session_timeout: '15000',
    // Pages are short; a worker process per list would cost more than it brings.
    max_parallel_workers_per_gather: '0',
    jit: 'off',
  };
  const config: pg.PoolConfig = {
    connectionString: options.url,
    max,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    application_name: 'bac apps',
    options: Object.entries(parameters)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  };
  const connections = new Connections(config, queue, logger);

  async function readAll(
    identity: Identity,
    statements: readonly Statement[],
    { client: waiting, elevated = false }: ReadOptions = {},
  ): Promise<Outcome[]> {
    const text = statements.every((one) => one.onePlan && one.keep) ? READING_BY_PLAN : READING;
    const batch = [settings(identity, elevated ? EFFECTS_ROLE : APP_ROLE, text), ...statements];
    for (let attempt = 1; ; attempt += 1) {
      assertWaiting(waiting);
      const client = await connections.take();
      if (waiting?.gone) connections.giveBack(client);
      assertWaiting(waiting);
      const stop = waiting?.onGone(() => cancel(client, config));
      try {
        const outcomes = await runPipeline(client, batch);
        // A cancel that came too late must not meet another call.
        connections.giveBack(client, waiting?.gone);
        return outcomes.slice(1);
      } catch (error) {
        const code = codeOf(error);
        if (STALE_PLAN.has(code)) forgetPrepared(client);
        connections.giveBack(client, isLost(error) || waiting?.gone);
        assertWaiting(waiting);
        if (attempt < 2 && STALE_PLAN.has(code)) continue;
        throw error;
      } finally {
        stop?.();
      }
    }
  }

  async function once(batch: readonly Statement[]): Promise<Outcome[]> {
    const client = await connections.take();
    try {
      const outcomes = await runPipeline(client, batch);
      connections.giveBack(client);
      return outcomes;
    } catch (error) {
      connections.giveBack(client, isLost(error));
      throw error;
    }
  }

  async function attempt<T>(identity: Identity, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const client = await connections.take();
    let broken = false;
    let depth = 0;
    let role = APP_ROLE;
    let waiting: Statement[] = [{ text: 'BEGIN', keep: true }, settings(identity, APP_ROLE)];
    const atCommit: { step: Step; then: (outcome: Outcome) => void }[] = [];
    /** Queues a step, after a change of role if it needs one; returns its place in the batch. */
    const push = (step: Step): number => {
      const elevated = step.elevated === true || depth > 0;
      const wanted = elevated ? EFFECTS_ROLE : APP_ROLE;
      if (wanted !== role) waiting.push({ text: `SET LOCAL ROLE ${wanted}`, keep: true });
      role = wanted;
      // Plans depend on the role: a text of its own keeps one from displacing the other.
      return waiting.push(elevated && step.keep ? { ...step, text: `/* app */ ${step.text}` } : step) - 1;
    };
    const flush = async (steps: readonly Step[], last: readonly Statement[] = []): Promise<Outcome[]> => {
      const places = steps.map(push);
      const batch = [...waiting, ...last];
      waiting = [];
      const outcomes = await runPipeline(client, batch);
      return places.map((place) => outcomes[place]!);
    };
    const tx: Transaction = {
      later: (step) => void push(step),
      run: async (step) => (await flush([step]))[0]!,
      runAll: (steps) => flush(steps),
      async elevated(inner) {
        depth += 1;
        try {
          return await inner();
        } finally {
          depth -= 1;
        }
      },
      atCommit: (step, then) => void atCommit.push({ step, then }),
    };
    try {
      const result = await work(tx);
      const outcomes = await flush(
        atCommit.map(({ step }) => step),
        [{ text: 'COMMIT', keep: true }],
      );
      for (const [index, { then }] of atCommit.entries()) then(outcomes[index]!);
      return result;
    } catch (error) {
      if (STALE_PLAN.has(codeOf(error))) forgetPrepared(client);
      try {
        await client.query('ROLLBACK');
      } catch {
        // The connection is gone, and the transaction with it.
        broken = true;
      }
      throw error;
    } finally {
      connections.giveBack(client, broken);
    }
  }

  return {
    async read(identity, statement, how) {
      return (await readAll(identity, [statement], how))[0]!;
    },
    readAll,
    async write(identity, work) {
      for (let tries = 1; ; tries += 1) {
        try {
          return await attempt(identity, work);
        } catch (error) {
          const code = codeOf(error);
          if (tries === ATTEMPTS || !(CONFLICTS.has(code) || STALE_PLAN.has(code))) throw error;
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** tries));
        }
      }
    },
    alone: async (identity, statement) => (await once([settings(identity, EFFECTS_ROLE), statement]))[1]!,
    async *cursor(identity, statement, rows) {
      const client = await connections.take();
      let done = false;
      try {
        const declare = {
          text: `DECLARE page NO SCROLL CURSOR FOR ${statement.text}`,
          values: statement.values ?? [],
        };
        await runPipeline(client, [
          { text: 'BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY' },
          settings(identity, APP_ROLE),
          // Who takes rows slowly keeps the transaction open meanwhile.
          { text: "SET LOCAL idle_in_transaction_session_timeout = '60s'" },
          declare,
        ]);
        for (;;) {
          const [page] = await runPipeline(client, [{ text: `FETCH ${rows} FROM page` }]);
          if (page!.rows.length > 0) yield page!.rows;
          if (page!.rows.length < rows) break;
        }
        done = true;
      } finally {
        const ended = await client.query(done ? 'COMMIT' : 'ROLLBACK').then(
          () => true,
          () => false,
        );
        connections.giveBack(client, !ended);
      }
    },
    bare: async (statement) => (await once([statement]))[0]!,
    close: () => connections.close(),
  };
}

export const codeOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
};

/** The connection has failed, or the server is ending it. */
function isLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === '' || code.startsWith('57P');
}

/** Asks the server to give up the statement under way; it ends by its own timeout if that fails. */
function cancel(client: pg.PoolClient, config: pg.PoolConfig): void {
  const { processID } = client as unknown as { processID: number };
  // As the login itself, whose session it is; the role the sessions begin with may not end any.
  const { options: _, ...plain } = config;
  const other = new pg.Client({ ...plain, connectionTimeoutMillis: 2000 });
  other.on('error', () => {});
  other
    .connect()
    .then(() => other.query('SELECT pg_cancel_backend($1)', [processID]))
    .catch(() => {})
    .finally(() => other.end().catch(() => {}));
}

/** CLIENT_GONE (user) when nobody waits for the answer any more. */
export function assertWaiting(client: Client | undefined): void {
  if (client?.gone) throw userError('CLIENT_GONE', 'Nobody waits for this answer any more.', 'Ask again.');
}

export type { Outcome, Param, Statement };
