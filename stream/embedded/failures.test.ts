import { execFileSync, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { StoredRecord } from '#kernel';
import { testLog } from '#tests/log';
import { batchKey, openStore } from './store.ts';

const small = (size: string): string | null => {
  const dir = mkdtempSync(join(tmpdir(), 'bac-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir], { stdio: 'ignore' });
    return dir;
  } catch {
    rmdirSync(dir);
    return null;
  }
};

test('a full disk refuses appends with the next step; the log stays whole, and usable once there is room', async (context) => {
  const dir = small('24m');
  if (dir === null) return context.skip('mounting a small file system takes root');
  try {
    const { log } = await testLog({ dir });
    await log.ensureTopic('t', { partitions: 1 });
    const large = () => ({ key: null, value: randomBytes(40_000) });
    let acknowledged = 0;
    const fill = async (): Promise<unknown> => {
      for (;;) {
        try {
          await log.append([{ topic: 't', partition: 0, records: [large()] }]);
          acknowledged += 1;
        } catch (error) {
          return error;
        }
      }
    };
    expect(await fill()).toMatchObject({
      code: 'LOG_DISK_FULL',
      disposition: 'user',
      next: expect.any(String),
    });
    expect((await log.topics())[0]!.extents[0]!.end).toBe(acknowledged);
    // Groups still commit, retention still deletes.
    let seen = 0;
    await new Promise<void>((resolve) => {
      const consumer = log.consume({
        group: 'g',
        topics: ['t'],
        onBatch: async ({ records }) => {
          seen += records.length;
          if (seen === acknowledged) setImmediate(() => void consumer.stop().then(resolve));
        },
      });
    });
    expect((await log.lag('g'))[0]!.lag).toBe(0);
    await log.ensureTopic('t', { partitions: 1, retentionBytes: 1_000_000 });
    await log.enforceRetention();
    const before = acknowledged;
    expect(await fill()).toMatchObject({ code: 'LOG_DISK_FULL' });
    expect(acknowledged - before).toBeGreaterThan(50);
    const { start, end } = (await log.topics())[0]!.extents[0]!;
    expect(end).toBe(acknowledged);
    const read = await log.read('t', 0, start, 10_000);
    expect(read.map((record: StoredRecord) => record.offset)).toEqual(
      Array.from({ length: end - start }, (_, index) => start + index),
    );
    await log.close();
  } finally {
    execFileSync('umount', [dir]);
    rmdirSync(dir);
  }
});

test('a process killed while it holds the write lock does not stop the others', async () => {
  const { log, dir, stop } = await testLog();
  await log.ensureTopic('t', { partitions: 1 });
  const script = fileURLToPath(new URL('./fixtures/hold-lock.ts', import.meta.url));
  const child = fork(script, [dir], { execArgv: [] });
  await once(child, 'message');
  const appended = log.append([{ topic: 't', partition: 0, records: [{ key: null, value: null }] }]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await appended).toEqual([{ topic: 't', partition: 0, end: 1 }]);
  await stop();
});

test('a damaged batch is reported with its place and never skipped', async () => {
  const { log, dir, stop } = await testLog();
  await log.ensureTopic('t', { partitions: 1 });
  for (let index = 0; index < 3; index += 1) {
    await log.append([{ topic: 't', partition: 0, records: [{ key: null, value: Buffer.from('x') }] }]);
  }
  const store = openStore(dir);
  const stored = Buffer.from(store.batches.get(batchKey(1, 0, 1))!);
  stored[stored.length - 1]! ^= 1;
  store.batches.putSync(batchKey(1, 0, 1), stored);
  await expect(log.read('t', 0, 0, 10)).rejects.toMatchObject({
    code: 'LOG_CORRUPT',
    message: expect.stringContaining('offset 1'),
  });
  let last = -1;
  const failed = new Promise<unknown>((resolve) => {
    log.consume({
      group: 'g',
      topics: ['t'],
      maxBatchRecords: 1,
      onError: resolve,
      onBatch: async ({ records }) => {
        last = records.at(-1)!.offset;
      },
    });
  });
  expect(await failed).toMatchObject({ code: 'LOG_CORRUPT' });
  expect(last).toBe(0);
  await store.root.close();
  await stop();
});

test('a closed log refuses work', async () => {
  const { log, stop } = await testLog();
  await log.ensureTopic('t', { partitions: 1 });
  await stop();
  await expect(log.topics()).rejects.toMatchObject({ code: 'LOG_CLOSED' });
  await expect(log.append([{ topic: 't', partition: 0, records: [] }])).rejects.toMatchObject({
    code: 'LOG_CLOSED',
  });
});
