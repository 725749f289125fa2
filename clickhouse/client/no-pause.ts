import { createRequire } from 'node:module';
import { setImmediate as nextTurn } from 'node:timers/promises';

interface Sleeping {
  sleep(ms: number): Promise<void>;
}

const inClient = createRequire(createRequire(import.meta.url).resolve('@clickhouse/client'));

/**
 * Before each request @clickhouse/client 1.23 lets the event loop find out which idle sockets have ended, by a timer: 1
 * to 2 ms of every statement. A turn of the loop does that, too. Its modules look the function up at each call.
 */
export function requestWithoutPause(): void {
  const sleeping = inClient('./common/utils/sleep.js') as Sleeping;
  const { sleep } = sleeping;
  sleeping.sleep = (ms) => (ms === 0 ? nextTurn() : sleep(ms));
}
