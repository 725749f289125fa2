import { expect, test } from 'vitest';
import { createPart, type PartHost } from './part.ts';

const record = (offset: number) => ({ offset, key: null, value: Buffer.from(String(offset)) });

function setUp() {
  const calls: { offsets: number[]; end: (error?: Error) => void }[] = [];
  const done: number[] = [];
  const ends: number[] = [];
  const host: PartHost = {
    bounds: { records: 2, bytes: 1000 },
    onBatch: ({ records, end }) =>
      new Promise((resolve, reject) => {
        ends.push(end);
        calls.push({
          offsets: records.map(({ offset }) => offset),
          end: (error) => (error ? reject(error) : resolve()),
        });
      }),
    report: () => undefined,
    done: (_, offset) => done.push(offset),
    isStopping: () => false,
    woken: () => undefined,
  };
  return { calls, done, ends, part: createPart(host, 't', 0, 0) };
}

test('what comes while a handler runs is delivered next; every batch is done once', async () => {
  const { calls, done, part } = setUp();
  part.receive(0, [record(0), record(1), record(2)], 3, 3);
  const first = part.deliver();
  part.receive(3, [record(3)], 5, 5);
  calls[0]!.end();
  await first;
  const second = part.deliver();
  calls[1]!.end();
  await second;
  expect(calls.map(({ offsets }) => offsets)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  // Offset 4 held nothing for readers.
  expect(done).toEqual([2, 5]);
  expect(part.buffered()).toEqual({ records: 0, bytes: 0 });
});

test('offsets that hold no record are done without a handler, and do not wait behind a batch', async () => {
  const { calls, done, part, ends } = setUp();
  part.receive(0, [record(0)], 2, 2);
  const delivering = part.deliver();
  part.receive(2, [], 3, 3);
  calls[0]!.end();
  await delivering;
  part.receive(3, [], 4, 4);
  expect(ends).toEqual([1]);
  expect(done).toEqual([3, 4]);
  expect(part.position()).toBe(4);
});

test('what is not fetched yet waits', async () => {
  const { calls, part, ends } = setUp();
  part.receive(0, [record(0)], 1, 5);
  const delivering = part.deliver();
  calls[0]!.end();
  await delivering;
  expect(ends).toEqual([5]);
});

test('a handler that ends after the partition went on elsewhere, or was closed, moves nothing', async () => {
  for (const elsewhere of ['seek', 'close'] as const) {
    const { calls, done, part } = setUp();
    part.receive(0, [record(0), record(1)], 2, 2);
    const delivering = part.deliver();
    if (elsewhere === 'seek') part.seek(100);
    else part.close();
    part.receive(100, [record(100), record(101), record(102)], 103, 103);
    calls[0]!.end();
    await delivering;
    expect(done).toEqual([]);
    expect(part.state).toBe(elsewhere === 'seek' ? 'idle' : 'done');
    expect(part.buffered().records).toBe(elsewhere === 'seek' ? 3 : 0);
  }
});

test('a failed batch is forgotten and fetched again from its first record', async () => {
  const { calls, part } = setUp();
  part.receive(0, [record(0), record(1), record(2)], 3, 3);
  const delivering = part.deliver();
  calls[0]!.end(new Error('not now'));
  await delivering;
  expect(part.state).toBe('waiting');
  expect(part.next()).toBe(0);
  expect(part.buffered()).toEqual({ records: 0, bytes: 0 });
  part.wake();
  expect(part.state).toBe('idle');
});
