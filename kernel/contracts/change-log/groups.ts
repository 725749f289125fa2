import { expect, test } from 'vitest';
import type { ChangeLog, LogConsumer } from '../../ports/change-log.ts';
import { type ChangeLogUnderTest, gate, numbers, startProcess, until } from './harness.ts';

/** Members of one group, in one process and in several. */
export function groupTests(under: () => ChangeLogUnderTest): void {
  const log = (): ChangeLog => under().log;

  test('members share the partitions; who leaves hands over what it has not committed', async () => {
    await log().ensureTopic('t', { partitions: 6 });
    const handled: { member: number; partition: number; value: number }[] = [];
    const join = (member: number): LogConsumer =>
      log().consume({
        group: 'g',
        topics: ['t'],
        maxBatchRecords: 7,
        onBatch: async ({ partition, records }) => {
          await new Promise((resolve) => setImmediate(resolve));
          for (const record of records) handled.push({ member, partition, value: Number(record.value) });
        },
      });
    let next = 0;
    const write = async (): Promise<void> => {
      await log().append(
        Array.from({ length: 6 }, (_, partition) => ({ topic: 't', partition, records: numbers(next, 20) })),
      );
      next += 20;
    };
    const first = join(1);
    await first.ready;
    await write();
    const second = join(2);
    await until(() => first.assignment().length === 3 && second.assignment().length === 3, 'both had a half');
    await write();
    const third = join(3);
    await until(
      () => [first, second, third].every((member) => member.assignment().length === 2),
      'each had a third',
    );
    await write();
    await second.stop();
    await until(
      () => first.assignment().length + third.assignment().length === 6,
      'the others had taken over',
    );
    await write();
    await until(() => handled.length >= 6 * next, 'all had come');
    await Promise.all([first.stop(), third.stop()]);
    for (let partition = 0; partition < 6; partition += 1) {
      const values = handled.filter((one) => one.partition === partition).map((one) => one.value);
      // Nobody crashed: a hand-over neither loses nor repeats.
      expect(values).toEqual(Array.from({ length: next }, (_, index) => index));
    }
    expect(new Set(handled.map((one) => one.member))).toEqual(new Set([1, 2, 3]));
  });

  test('a partition is handed over only after its running handler has finished and committed', async () => {
    await log().ensureTopic('t', { partitions: 2 });
    const held = gate();
    const events: string[] = [];
    const first = log().consume({
      group: 'g',
      topics: ['t'],
      onBatch: async ({ partition }) => {
        events.push(`first begins ${partition}`);
        await held.opened;
        events.push(`first ends ${partition}`);
      },
    });
    await first.ready;
    await log().append([0, 1].map((partition) => ({ topic: 't', partition, records: numbers(0, 5) })));
    await until(() => events.length === 2, 'both handlers ran');
    const second = log().consume({
      group: 'g',
      topics: ['t'],
      onBatch: async ({ partition, records }) => void events.push(`second ${partition} ${records.length}`),
    });
    held.open();
    await until(() => second.assignment().length === 1, 'one partition had moved');
    await log().append([0, 1].map((partition) => ({ topic: 't', partition, records: numbers(5, 1) })));
    await until(async () => (await log().lag('g')).every(({ lag }) => lag === 0), 'all was committed');
    await Promise.all([first.stop(), second.stop()]);
    const moved = events.find((event) => event.startsWith('second'))!;
    expect(moved.endsWith(' 1')).toBe(true);
    const partition = moved.split(' ')[1];
    expect(events.indexOf(`first ends ${partition}`)).toBeLessThan(events.indexOf(moved));
    expect(events.filter((event) => event.startsWith('second'))).toHaveLength(1);
  });

  test('what another process appends arrives; a member that is killed loses its partitions to the others', async () => {
    await log().ensureTopic('t', { partitions: 4 });
    const child = await startProcess(under());
    child.send({ type: 'consume', group: 'g', topics: ['t'], hold: true });
    await until(() => child.reports.some(({ type }) => type === 'ready'), 'the child was ready');
    await log().append(
      [0, 1, 2, 3].map((partition) => ({ topic: 't', partition, records: numbers(partition * 10, 10) })),
    );
    await until(
      () => child.reports.filter(({ type }) => type === 'started').length === 4,
      'the child had begun with all',
    );
    const seen: number[] = [];
    const consumer = log().consume({
      group: 'g',
      topics: ['t'],
      onBatch: async ({ records }) => void seen.push(...records.map((record) => Number(record.value))),
    });
    await consumer.ready;
    await child.kill();
    await until(() => seen.length === 40, 'what the child had not finished had come again');
    await consumer.stop();
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index));
  });

  test('wakes a reader in another process', async () => {
    await log().ensureTopic('t', { partitions: 1 });
    const child = await startProcess(under());
    const seen: string[] = [];
    const consumer = log().consume({
      group: null,
      topics: ['t'],
      onBatch: async ({ records }) => void seen.push(...records.map((record) => String(record.value))),
    });
    await consumer.ready;
    for (let index = 0; index < 20; index += 1) {
      child.send({ type: 'append', topic: 't', values: [String(index)] });
      await until(() => seen.length === index + 1, `record ${index} had come`);
    }
    await consumer.stop();
    child.send({ type: 'stop' });
    await until(() => child.reports.at(-1)?.type === 'stopped', 'the child had closed the log');
    await child.kill();
  });
}
