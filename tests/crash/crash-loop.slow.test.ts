import { test } from 'vitest';
import { testHub } from '#tests/hub';
import { crashLoop, supervised } from './crash-loop.ts';

const SEED = Number(process.env.CRASH_SEED ?? 20_261_122);
const KILLS = Number(process.env.CRASH_KILLS ?? 32);
/** `CRASH_VICTIMS=none` runs the workload alone: what differs then is no matter of crashes. */
const VICTIMS = (process.env.CRASH_VICTIMS ?? 'capture,sink,clickhouse,postgres').split(',');

test(`after ${KILLS} kills -9 under load every table equals its source (seed ${SEED})`, async () => {
  await using hub = await testHub();
  const victims = VICTIMS.filter((name) => name !== 'none').map((name) => [name, supervised(hub, name)]);
  await crashLoop({ hub, seed: SEED, kills: KILLS, victims: Object.fromEntries(victims) });
});
