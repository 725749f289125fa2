import { parentPort, workerData } from 'node:worker_threads';
import { gunzipSync, gzipSync } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import type { FromWorker, ToWorker, WorkerSetup } from './calls.ts';

/**
 * A real PostgreSQL in a thread of its own, so that it can be ended whatever it is doing. Takes bytes of
 * the wire protocol and gives back what the server answers.
 */
const port = parentPort!;
const say = (message: FromWorker): void => port.postMessage(message);
const { sql, seed } = workerData as WorkerSetup;

/** Making an empty cluster takes PostgreSQL seconds; a copy of one, a fraction of that. */
async function open(): Promise<{ database: PGlite; empty: Blob | null }> {
  if (seed) {
    try {
      const tar = new Blob([gunzipSync(seed)]);
      return { database: await PGlite.create({ loadDataDir: tar }), empty: null };
    } catch (error) {
      say({ unusable: error instanceof Error ? error.message : String(error) });
    }
  }
  const database = await PGlite.create();
  return { database, empty: await database.dumpDataDir('none') };
}

const { database, empty } = await open();
await database.exec(sql);
port.on('message', ({ id, bytes }: ToWorker) => {
  void database
    .execProtocolRaw(bytes)
    .then((answer) => say({ id, answer }))
    .catch((error: unknown) => say({ id, failed: error instanceof Error ? error.message : String(error) }));
});
say({ ready: true });
if (empty) say({ seed: gzipSync(new Uint8Array(await empty.arrayBuffer()), { level: 3 }) });
