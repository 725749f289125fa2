import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import type { QueryOptions, TableSchema, WarehouseCluster } from '#kernel';
import { type AppliedTable, Sharder } from '../tables/index.ts';

const BUFFERED_BYTES = 1024 * 1024;
const LINE_END = 10;

/**
 * Loads COPY text into a cluster: each line goes to the shard of its key, one insert per shard at once.
 * The slowest shard sets the pace; what waits for it is bounded. If one insert fails all do.
 */
export async function loadSharded(
  cluster: WarehouseCluster,
  applied: AppliedTable,
  schema: TableSchema,
  statement: string,
  rows: Readable,
  options: QueryOptions,
): Promise<void> {
  const shards = (await cluster.shards()).slice(0, applied.shards);
  const sharder = new Sharder(
    applied,
    schema.columns.map((column) => column.attnum),
  );
  const bodies = shards.map(() => new PassThrough({ highWaterMark: BUFFERED_BYTES }));
  const failed = new AbortController();
  const settings = { ...options.settings, ...cluster.insertSettings };
  const inserts = shards.map((shard, index) =>
    shard
      .insert(statement, 'TabSeparated', bodies[index]!, { ...options, settings })
      .catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
  );
  // Reported below; a rejection before that is not unhandled.
  for (const insert of inserts) insert.catch(() => undefined);
  // A body may be destroyed by the request it belongs to.
  for (const body of bodies) body.on('error', (error) => failed.abort(error));
  try {
    await split(rows, sharder, bodies, failed.signal);
    for (const body of bodies) body.end();
  } catch (error) {
    for (const body of bodies) body.destroy(error as Error);
    await Promise.allSettled(inserts);
    throw failed.signal.aborted ? failed.signal.reason : error;
  }
  await Promise.all(inserts);
}

async function split(
  rows: Readable,
  sharder: Sharder,
  bodies: readonly PassThrough[],
  signal: AbortSignal,
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of rows as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const parts: Buffer[][] = bodies.map(() => []);
    let start = 0;
    for (let end = text.indexOf(LINE_END); end >= 0; end = text.indexOf(LINE_END, start)) {
      parts[sharder.of(text, start, end)]!.push(text.subarray(start, end + 1));
      start = end + 1;
    }
    rest = text.subarray(start);
    await Promise.all(
      bodies.map(async (body, index) => {
        const lines = parts[index]!;
        if (lines.length === 0 || body.write(Buffer.concat(lines))) return;
        await once(body, 'drain', { signal });
      }),
    );
  }
  if (rest.length > 0) bodies[sharder.of(rest, 0, rest.length)]!.write(rest);
}
