import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Admission, type Ticket } from './admission.ts';

const never = new AbortController().signal;
const settled = async (promise: Promise<Ticket>): Promise<Ticket | 'waits'> =>
  Promise.race([promise, new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits')))]);

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

test('no more than its places run until the running are slow; one more than may wait is refused', async () => {
  const admission = new Admission({ places: 2, waiting: 1, slowAfterMs: 100 });
  const [first] = [await admission.enter(never), await admission.enter(never)];
  const third = admission.enter(never);
  expect(await settled(third)).toBe('waits');
  await expect(admission.enter(never)).rejects.toMatchObject({ code: 202 });
  first.release();
  expect(await settled(third)).not.toBe('waits');
});

test('slow ones give way, as long as there are slow places', async () => {
  const admission = new Admission({ places: 1, waiting: 10, slowAfterMs: 100 });
  const slow = await admission.enter(never);
  const second = admission.enter(never);
  vi.advanceTimersByTime(100);
  expect(await settled(second)).not.toBe('waits');
  vi.advanceTimersByTime(100);
  const third = admission.enter(never);
  expect(await settled(third)).toBe('waits');
  slow.release();
  expect(await settled(third)).not.toBe('waits');
});

test('one that gives up waiting leaves the queue', async () => {
  const admission = new Admission({ places: 1, waiting: 1, slowAfterMs: 100 });
  const running = await admission.enter(never);
  const controller = new AbortController();
  const waiting = admission.enter(controller.signal);
  controller.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  const next = admission.enter(never);
  running.release();
  (await next).release();
  expect(await settled(admission.enter(never))).not.toBe('waits');
});
