import { once } from 'node:events';
import { Readable } from 'node:stream';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { Logger, QueryOptions, Warehouse } from '#kernel';
import { warehouseError } from './errors.ts';
import { ExceptionGuard } from './exception-guard.ts';
import { whileLost } from './retry.ts';

export interface WarehouseOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly log: Logger;
  /** Requests under way at once; more wait. Default 32. */
  readonly maxConnections?: number;
}

/** Inactivity on a socket; statements are bounded by their own settings and signals. */
const SOCKET_TIMEOUT_MS = 3_600_000;

/** `Warehouse` over ClickHouse's HTTP interface. See the port for its promises. */
export function createWarehouse(options: WarehouseOptions): Warehouse {
  const { log } = options;
  const client = createClient({
    url: options.url,
    username: options.user,
    password: options.password,
    request_timeout: SOCKET_TIMEOUT_MS,
    max_open_connections: options.maxConnections ?? 32,
    // Node's agent ends idle sockets before the server does; the client's own timer may hit a socket in use.
    keep_alive: { enabled: true, idle_socket_ttl: 0 },
    log: { level: ClickHouseLogLevel.OFF },
  });

  const call = <T>(work: () => Promise<T>, repeatable: boolean, { signal }: QueryOptions): Promise<T> =>
    whileLost(
      async () => {
        signal?.throwIfAborted();
        try {
          return await work();
        } catch (error) {
          throw warehouseError(error, signal);
        }
      },
      repeatable,
      log,
      signal,
    );

  const common = ({ params, settings, signal, queryId }: QueryOptions) => ({
    query_params: params as Record<string, unknown> | undefined,
    clickhouse_settings: settings as Record<string, string | number> | undefined,
    abort_signal: signal,
    query_id: queryId,
  });

  const run = async (sql: string, body: Readable | undefined, opts: QueryOptions): Promise<void> => {
    const { stream } =
      body === undefined
        ? await client.exec({ query: sql, ...common(opts) })
        : await client.exec({ query: sql, values: body, ...common(opts) });
    await drain(stream);
  };

  return {
    command: (sql, opts = {}) => call(() => run(sql, undefined, opts), false, opts),
    query: <Row>(sql: string, opts: QueryOptions = {}) =>
      call(
        async () => {
          const { settings } = opts;
          const result = await client.query({
            query: sql,
            format: 'JSONEachRow',
            ...common({ ...opts, settings: { output_format_json_quote_64bit_integers: 1, ...settings } }),
          });
          return await result.json<Row>();
        },
        true,
        opts,
      ),
    stream: (sql, format, opts = {}) =>
      call(
        async () => {
          const query = `${sql}\nFORMAT ${format}`;
          const { stream, response_headers } = await client.exec({ query, ...common(opts) });
          return guarded(
            stream,
            String(response_headers['x-clickhouse-exception-tag'] ?? '') || undefined,
            opts,
          );
        },
        true,
        opts,
      ),
    insert: (insert, format, body, opts = {}) => {
      const sql = `${insert} FORMAT ${format}`;
      if (!Buffer.isBuffer(body)) return call(() => run(sql, body, opts), false, { ...opts });
      return call(() => run(sql, Readable.from([body], { objectMode: false }), opts), true, opts);
    },
    ping: async () => (await client.ping()).success,
    close: () => client.close(),
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
