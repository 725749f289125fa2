import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { HubError } from '#kernel';
import { type App, loadApps } from '../definitions/index.ts';
import { applyPlan, planApps, type Queryable } from '../planner/index.ts';
import { analyse, dropForLoad, emptyTables, moveSequences, tablesIn } from './bulk.ts';
import { DAY } from './calendar.ts';
import { type Chunk, createChunks, sendChunk } from './copy.ts';
import { generate } from './generate.ts';
import type { World } from './world.ts';

export interface FillOptions {
  readonly url: string;
  readonly seed: number;
  /** Orders of both tenants together, at least 100. */
  readonly orders: number;
  /** End of the history; default: the last midnight, UTC. */
  readonly until?: Date;
  readonly onProgress?: (progress: FillProgress) => void;
  readonly signal?: AbortSignal;
}

export interface FillProgress {
  readonly phase: 'tables' | 'rows' | 'indexes' | 'statistics';
  /** Between 0 and 1, over the whole fill. */
  readonly done: number;
  readonly rows: number;
}

export interface FillResult {
  /** False if the database was found filled and nothing was done. */
  readonly filled: boolean;
  readonly rows: number;
  readonly orders: number;
  readonly milliseconds: number;
}

const APPS = ['commerce', 'crm', 'erp', 'marketing', 'productivity', 'projects', 'support', 'voice'];
/** Two sessions keep the server busy while the next rows are made; more would only share two cores. */
const SESSIONS = 2;
const PENDING_CHUNKS = 4;
/** Commits need not reach the disk one by one: a fill that is cut short is done anew. */
const SESSION =
  "SET bac.actor = 'demo'; SET synchronous_commit = off; SET maintenance_work_mem = '256MB'; SET max_parallel_maintenance_workers = 0";
const INDEX = /^CREATE INDEX\b/;

/**
 * Makes the tables of the demo's apps and fills them with the demo history. Rows come by COPY in
 * chunks; memory does not grow with the rows, only (by some 100 bytes) with each customer.
 * Idempotent: a database once filled is left alone, whatever seed or size is asked for, and so is
 * one whose tables hold rows of somebody else; a fill that was interrupted is emptied and done anew.
 * One process at a time. Errors: DEMO_TABLES_IN_USE (user), DEMO_ABORTED (user), and the planner's.
 */
export async function fillDemo(options: FillOptions): Promise<FillResult> {
  const began = performance.now();
  const apps = await demoApps();
  const clients = await connect(options.url);
  try {
    const [client] = clients as [pg.Client];
    const before = await marker(client);
    if (before?.state === 'complete') {
      return {
        filled: false,
        rows: Number(before.rows),
        orders: before.orders,
        milliseconds: performance.now() - began,
      };
    }
    if (before) await emptyTables(client, await tablesIn(client, apps));
    report(options, 'tables', 0, 0);
    await applyPlan(client, await planApps(client, apps));
    if (!before) await refuseForeignRows(client, apps);
    await client.query(
      `INSERT INTO bac.demo_fill (one, state, seed, orders) VALUES (true, 'filling', $1, $2)
       ON CONFLICT (one) DO UPDATE SET state = 'filling', seed = $1, orders = $2`,
      [options.seed, options.orders],
    );
    await dropForLoad(client, apps);
    const { world, rows } = await load(clients, options);
    report(options, 'indexes', 0.75, rows);
    await moveSequences(client, world.ids);
    await setIndexes(clients, apps);
    report(options, 'statistics', 0.97, rows);
    await analyse(clients, await tablesIn(client, apps));
    await client.query(`UPDATE bac.demo_fill SET state = 'complete', row_count = $1, until = $2`, [
      rows,
      new Date(world.until),
    ]);
    report(options, 'statistics', 1, rows);
    return { filled: true, rows, orders: options.orders, milliseconds: performance.now() - began };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

/** Indexes by all sessions at once, since none stands on another; what is left of the plan follows in its order. */
async function setIndexes(clients: readonly pg.Client[], apps: readonly App[]): Promise<void> {
  const [client] = clients as [pg.Client];
  const { steps } = await planApps(client, apps, { offline: true });
  const indexes = steps.filter((step) => INDEX.test(step.sql));
  const next = async (session: pg.Client): Promise<void> => {
    for (let step = indexes.shift(); step; step = indexes.shift())
      await applyPlan(session, { steps: [step] });
  };
  await Promise.all(clients.map(next));
  await applyPlan(client, await planApps(client, apps, { offline: true }));
}

/** The apps the demo business runs on. */
export async function demoApps(): Promise<App[]> {
  const apps = await loadApps(fileURLToPath(new URL('..', import.meta.url)));
  return apps.filter((app) => APPS.includes(app.name));
}

const startOfToday = (): Date => new Date(Math.floor(Date.now() / DAY) * DAY);

async function connect(url: string): Promise<pg.Client[]> {
  const clients = Array.from(
    { length: SESSIONS },
    () => new pg.Client({ connectionString: url, application_name: 'bac demo' }),
  );
  // A lost connection fails the statement it was running; without one, the next statement.
  for (const client of clients) client.on('error', () => {});
  await Promise.all(clients.map((client) => client.connect()));
  for (const client of clients) await client.query(SESSION);
  return clients;
}

interface Marker {
  readonly state: 'filling' | 'complete';
  readonly orders: number;
  readonly rows: string;
}

/** What is known of an earlier fill. */
async function marker(client: Queryable): Promise<Marker | null> {
  await client.query('CREATE SCHEMA IF NOT EXISTS bac');
  await client.query(`CREATE TABLE IF NOT EXISTS bac.demo_fill (
    one boolean PRIMARY KEY, state text NOT NULL, seed bigint NOT NULL, orders integer NOT NULL,
    row_count bigint NOT NULL DEFAULT 0, until timestamptz)`);
  const { rows } = await client.query<Marker>('SELECT state, orders, row_count AS rows FROM bac.demo_fill');
  return rows[0] ?? null;
}

async function refuseForeignRows(client: Queryable, apps: readonly App[]): Promise<void> {
  for (const table of await tablesIn(client, apps)) {
    const found = await client.query(`SELECT 1 FROM ${table} LIMIT 1`);
    if (found.rowCount === 0) continue;
    throw new HubError('DEMO_TABLES_IN_USE', `${table} already has rows that are not the demo's.`, {
      disposition: 'user',
      next: 'Start without the demo (`bac up --no-demo`), or use another database for it.',
    });
  }
}

/** Generates and sends; at most PENDING_CHUNKS wait for the server at any time. */
async function load(
  clients: readonly pg.Client[],
  options: FillOptions,
): Promise<{ world: World; rows: number }> {
  const chunks = createChunks();
  const idle = [...clients];
  const running = new Set<Promise<void>>();
  const waiting: Chunk[] = [];
  let failure: unknown = null;
  let rows = 0;
  const pump = (): void => {
    while (idle.length > 0 && waiting.length > 0 && failure === null) {
      const client = idle.pop()!;
      const sent = sendChunk(client, waiting.shift()!)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .then(() => {
          running.delete(sent);
          idle.push(client);
          pump();
        });
      running.add(sent);
    }
  };
  const settle = async (most: number): Promise<void> => {
    pump();
    while (failure === null && running.size + waiting.length > most) await Promise.race(running);
    if (failure !== null) {
      await Promise.all(running);
      throw failure;
    }
  };
  const steps = generate({
    seed: options.seed,
    orders: options.orders,
    until: options.until ?? startOfToday(),
    emit(table, row) {
      rows += 1;
      chunks.add(table, row);
    },
  });
  for (;;) {
    const step = steps.next();
    if (options.signal?.aborted) {
      failure ??= new HubError('DEMO_ABORTED', 'Filling the demo business was interrupted.', {
        disposition: 'user',
        next: 'Start again: what was written is emptied first.',
      });
    }
    waiting.push(...chunks.take(step.done));
    await settle(step.done ? 0 : PENDING_CHUNKS);
    if (step.done) return { world: step.value, rows };
    report(options, 'rows', 0.02 + step.value.done * 0.72, rows);
  }
}

function report(options: FillOptions, phase: FillProgress['phase'], done: number, rows: number): void {
  options.onProgress?.({ phase, done, rows });
}
