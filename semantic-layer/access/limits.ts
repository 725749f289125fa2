import { HubError, type Logger, type Principal, toHubError, type Warehouse } from '#kernel';
import { createLanes } from './lanes.ts';
import { createSizes } from './sizes.ts';

export interface QueryLimits {
  /** Most rows a question may read, by ClickHouse's estimate or, where the tables are smaller, by their size. */
  readonly maxRowsRead: number;
  /** Most bytes, uncompressed and of whole rows: an upper bound of what is read. */
  readonly maxBytesRead: number;
  /** Questions one principal has running at once; more wait. */
  readonly concurrency: number;
  /** Questions of one principal that may wait; more are refused. */
  readonly queue: number;
}

export interface LimitedStatement {
  readonly sql: string;
  readonly params: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves when the statement may run; call what it gives when it is over, however it ended. */
export type AdmitQuery = (principal: Principal, statement: LimitedStatement) => Promise<() => void>;

export interface QueryLimitsOptions {
  readonly warehouse: Warehouse;
  readonly limits: QueryLimits;
  readonly logger: Logger;
}

interface Estimate {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Lets statements run in their turn and refuses those that would read too much, before they read anything.
 * Errors: QUERY_REFUSED (user). A principal of a tenant is not told how much it would have been: tables hold
 * rows of other tenants.
 */
export function createQueryLimits({ warehouse, limits, logger }: QueryLimitsOptions): AdmitQuery {
  const lanes = createLanes(limits);
  const sizes = createSizes(warehouse);

  async function estimate(statement: LimitedStatement): Promise<Estimate> {
    const bound = await sizes.boundOf(statement.sql);
    if (bound && bound.rows <= limits.maxRowsRead && bound.bytes <= limits.maxBytesRead) return bound;
    const parts = await warehouse.query<{ database: string; table: string; rows: string }>(
      `EXPLAIN ESTIMATE ${statement.sql}`,
      { params: statement.params, ...(statement.signal ? { signal: statement.signal } : {}) },
    );
    let rows = 0;
    let bytes = 0;
    for (const part of parts) {
      rows += Number(part.rows);
      bytes += Number(part.rows) * sizes.rowBytes(part.database, part.table);
    }
    return { rows, bytes };
  }

  return async (principal, statement) => {
    const leave = await lanes.enter(JSON.stringify([principal.tenant, principal.user]), statement.signal);
    try {
      const reads = await estimate(statement).catch((thrown) => {
        // The statement itself will say what is wrong with it; an engine that is away is no reason to refuse.
        statement.signal?.throwIfAborted();
        logger.warn({ err: toHubError(thrown) }, 'a question could not be estimated');
        return { rows: 0, bytes: 0 };
      });
      refuse(principal, 'rows', reads.rows, limits.maxRowsRead);
      refuse(principal, 'bytes', reads.bytes, limits.maxBytesRead);
      return leave;
    } catch (thrown) {
      leave();
      throw thrown;
    }
  };
}

function refuse(principal: Principal, what: 'rows' | 'bytes', reads: number, most: number): void {
  if (reads <= most) return;
  const limit = most.toLocaleString('en');
  throw new HubError('QUERY_REFUSED', `The question would read more than ${limit} ${what}.`, {
    next: 'Narrow the time range or add a filter on what the table is ordered by; an administrator can raise the limit (semantic.*).',
    disposition: 'user',
    details: {
      limit: what === 'rows' ? 'semantic.maxRowsRead' : 'semantic.maxBytesRead',
      allowed: most,
      ...(principal.tenant === null ? { estimated: Math.round(reads) } : {}),
    },
  });
}
