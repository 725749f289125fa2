import type pg from 'pg';
import { type ChangeLog, configSchema, type Registry, silentLogger, type Warehouse } from '#kernel';
import { compareTable } from '#tests/compare';
import { eventually } from '#tests/eventually';
import { addSource, type Capture, type CaptureOptions, createCapture } from '../../capture/index.ts';
import { pipeline } from '../../verify/testing.ts';
import { StandIn, type StandInOptions } from './stand-in.ts';

/** Real log, sink and ClickHouse, the real capture, and before it the stand-in of a cluster. */
export interface World extends AsyncDisposable {
  readonly app: pg.Client;
  readonly pool: pg.Pool;
  readonly registry: Registry;
  readonly warehouse: Warehouse;
  readonly log: ChangeLog;
  readonly standIn: StandIn;
  /** DDL of the application; its tables get what the stand-in needs. */
  ddl(sql: string): Promise<void>;
  capture(options?: Partial<CaptureOptions>): Promise<Capture>;
  /** Declares the cluster as source `shop`. */
  add(parameters?: string): Promise<void>;
  /** Waits until these tables are the same in the warehouse, value by value. */
  equal(...tables: string[]): Promise<void>;
}

export async function world(options: Partial<StandInOptions> = {}): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const real = stack.use(await pipeline());
  const standIn = stack.use(await StandIn.start({ url: real.url, ...options }));
  await real.sink();
  const captures: Capture[] = [];
  stack.defer(async () => {
    for (const capture of captures) await capture.stop();
  });
  const { app, pool, registry, warehouse, log } = real;
  const moved = stack.move();
  return {
    app,
    pool,
    registry,
    warehouse,
    log,
    standIn,
    async ddl(sql) {
      await app.query(sql);
      const { rows } = await app.query<{ name: string }>(
        `SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relkind = 'r' AND c.relreplident <> 'f'
         AND c.relnamespace = 'public'::regnamespace`,
      );
      for (const { name } of rows) await app.query(`ALTER TABLE ${name} REPLICA IDENTITY FULL`);
    },
    async capture(changed = {}) {
      const capture = createCapture({
        pool,
        log,
        registry,
        target: real.target,
        logger: silentLogger(),
        config: { ...configSchema.parse({}).capture, snapshotChunkRows: 1000 },
        partitions: 2,
        instance: 'test',
        rescanMs: 200,
        ...changed,
      });
      captures.push(capture);
      await capture.start();
      return capture;
    },
    add: (parameters = '') =>
      addSource(pool, log, { name: 'shop', url: `${standIn.url}${parameters}`, kind: 'yugabytedb' }),
    async equal(...tables) {
      let last: string[] = [];
      for (const table of tables) {
        await eventually(
          async () => {
            const entry = await registry.table({ source: 'shop', schema: 'public', table });
            if (entry?.state !== 'streaming') {
              last = [`${table} is ${entry?.state}: ${JSON.stringify(entry?.error)}`];
              return undefined;
            }
            // A column may not have come yet.
            last = await compareTable(app, warehouse, 'shop', 'public', table).catch((error: Error) => [
              error.message,
            ]);
            return last.length === 0 ? true : undefined;
          },
          30_000,
          () => last.slice(0, 3).join('\n'),
        );
      }
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}
