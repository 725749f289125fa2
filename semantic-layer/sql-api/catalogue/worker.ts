import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/**
 * A real PostgreSQL in a thread of its own, so that it can be ended whatever it is doing. Takes bytes of
 * the wire protocol and gives back what the server answers.
 */
const port = parentPort!;
const database = await PGlite.create();
await database.exec((workerData as { sql: string }).sql);
port.on('message', ({ id, bytes }: { id: number; bytes: Uint8Array }) => {
  void database
    .execProtocolRaw(bytes)
    .then((answer) => port.postMessage({ id, answer }))
    .catch((error: unknown) =>
      port.postMessage({ id, failed: error instanceof Error ? error.message : String(error) }),
    );
});
port.postMessage({ ready: true });
