import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { Logger, QueryOptions, Warehouse } from '#kernel';
import { type ClusterOptions, clusterOf } from './cluster.ts';
import { warehouseError } from './errors.ts';
import { ExceptionGuard } from './exception-guard.ts';
import { HostPool } from './failover.ts';
import { Host } from './host.ts';

export interface WarehouseOptions {
  /** Several hosts that are one cluster, or reach one server by several ways, separated by commas. */
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly log: Logger;
  /** Requests under way at once per host; more wait. Default 32. */
  readonly maxConnections?: number;
  /** Set if the hosts are a cluster over which tables are spread. */
  readonly cluster?: ClusterOptions | undefined;
}

/** `Warehouse` over ClickHouse's HTTP interface. See the port for its promises. */
export function createWarehouse(options: WarehouseOptions): Warehouse {
  const { user, password, log, maxConnections = 32, cluster } = options;
  const hosts = options.url
    .split(',')
    .map((url) => new Host({ url: url.trim(), user, password, maxConnections }));
  // Subqueries over several shards are worked out once and sent to all.
  const reading: Settings = cluster === undefined ? {} : { prefer_global_in_and_join: 1 };
  const over = (pool: HostPool): Warehouse => warehouseOver(pool, reading);
  const all = over(new HostPool(() => hosts, log));
  return {
    ...all,
    ...(cluster === undefined ? {} : { cluster: clusterOf(cluster, hosts, over, log) }),
    async close() {
      await Promise.all(hosts.map((host) => host.client.close()));
    },
  };
}

type Settings = Readonly<Record<string, string | number>>;

function warehouseOver(pool: HostPool, reading: Settings): Warehouse {
  const common = ({ params, settings, queryId }: QueryOptions, signal: AbortSignal | undefined) => ({
    query_params: params as Record<string, unknown> | undefined,
    clickhouse_settings: settings as Record<string, string | number> | undefined,
    abort_signal: signal,
    query_id: queryId,
  });

  const run = (
    sql: string,
    body: () => Readable | undefined,
    repeatable: boolean,
    opts: QueryOptions,
  ): Promise<void> =>
    pool.run({
      repeatable,
      signal: opts.signal,
      async work(client, signal) {
        const values = body();
        const { stream } =
          values === undefined
            ? await client.exec({ query: sql, ...common(opts, signal) })
            : await client.exec({ query: sql, values, ...common(opts, signal) });
        await drain(stream);
      },
    });

  return {
    command: (sql, opts = {}) => run(sql, () => undefined, false, opts),
    query: <Row>(sql: string, opts: QueryOptions = {}) =>
      pool.run({
        repeatable: true,
        signal: opts.signal,
        async work(client, signal) {
          const settings = { output_format_json_quote_64bit_integers: 1, ...reading, ...opts.settings };
          const result = await client.query({
            query: sql,
            format: 'JSONEachRow',
            ...common({ ...opts, settings }, signal),
          });
          return await result.json<Row>();
        },
      }),
    stream: (sql, format, opts = {}) =>
      pool.run({
        repeatable: true,
        signal: opts.signal,
        async work(client, signal) {
          const query = `${sql}\nFORMAT ${format}`;
          const settings = { ...reading, ...opts.settings };
          const { stream, response_headers } = await client.exec({
            query,
            ...common({ ...opts, settings }, signal),
          });
          return guarded(
            stream,
            String(response_headers['x-clickhouse-exception-tag'] ?? '') || undefined,
            opts,
          );
        },
      }),
    insert: (insert, format, body, opts = {}) => {
      const sql = `${insert} FORMAT ${format}`;
      if (!Buffer.isBuffer(body)) return run(sql, () => body, false, opts);
      return run(sql, () => Readable.from([body], { objectMode: false }), true, opts);
    },
    ping: () => pool.answers(),
    close: () => Promise.resolve(),
  };
}

async function drain(stream: Readable): Promise<void> {
  stream.resume();
  if (!stream.readableEnded) await once(stream, 'end');
}

/** The result with errors in the port's form; destroying it ends the request, and with it the query. */
function guarded(source: Readable, tag: string | undefined, { signal }: QueryOptions): Readable {
  const guard = new ExceptionGuard(tag);
  const out = Readable.from(read(), { objectMode: false });
  async function* read(): AsyncGenerator<Buffer> {
    let whole = false;
    try {
      source.once('error', (error) => guard.destroy(guard.exception() ?? error));
      source.pipe(guard);
      yield* guard as AsyncIterable<Buffer>;
      whole = true;
    } catch (error) {
      throw warehouseError(error, signal);
    } finally {
      if (!whole) source.destroy();
    }
  }
  // Destroyed before it was ever read, the generator's finally never runs.
  out.once('close', () => source.destroy());
  return out;
}
