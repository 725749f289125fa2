import { parentPort, workerData } from 'node:worker_threads';
import { type Ids, mixed } from './api-mix.ts';
import { httpClient } from './http-client.ts';
import { openLoop } from './http-load.ts';
import type { MixedLoad } from './load-thread.ts';

/** Entry of the thread that `mixedLoad` starts. */
const { url, headers, rate, seconds, warmSeconds, ids } = workerData as MixedLoad & { readonly ids: Ids };
const client = httpClient(url, headers);
const next = mixed(ids);
await openLoop(client, rate, warmSeconds, next);
parentPort!.postMessage(await openLoop(client, rate, seconds, next));
client.close();
