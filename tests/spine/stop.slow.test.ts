import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { testHub } from '#tests/hub';

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('SIGTERM ends everything within 10 s, with exit 0 and no process left', async () => {
  await using hub = await testHub({ args: [], env: { BAC_DEMO_ORDERS: '500', BAC_DEMO_RATE: '50' } });
  const pids = Object.values(hub.processes());
  expect(pids.length).toBeGreaterThanOrEqual(6);
  const started = performance.now();
  hub.kill('SIGTERM');
  expect(await hub.exited).toBe(0);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(pids.filter(alive)).toEqual([]);
});

test('when the supervisor is killed with -9 its roles end by themselves and the next start takes over', async () => {
  await using hub = await testHub();
  const pids = Object.entries(hub.processes()).filter(([name]) => name !== 'postgres');
  hub.kill('SIGKILL');
  await hub.exited;
  await eventually(
    async () => (pids.every(([, pid]) => !alive(pid)) ? true : undefined),
    15_000,
    () => `left: ${pids.filter(([, pid]) => alive(pid)).map(([name]) => name)}`,
  );
  const again = await testHub({ stateDir: hub.stateDir });
  again.kill('SIGTERM');
  expect(await again.exited).toBe(0);
});
