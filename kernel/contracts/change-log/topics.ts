import { expect, test } from 'vitest';
import type { ChangeLog } from '../../ports/change-log.ts';
import { numbers, text } from './harness.ts';

/** Topics, append, read. */
export function topicTests(log: () => ChangeLog): void {
  test('records come back as they were appended: null, empty, binary, unicode, in order', async () => {
    await log().ensureTopic('t', { partitions: 1 });
    const records = [
      { key: Buffer.from('k'), value: Buffer.from('v') },
      { key: null, value: null },
      { key: Buffer.alloc(0), value: Buffer.alloc(0) },
      { key: Buffer.from('schlüssel'), value: Buffer.from('値🚀') },
      { key: Buffer.from([0, 255, 128]), value: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
    ];
    const [appended] = await log().append([{ topic: 't', partition: 0, records }]);
    expect(appended!.end).toBe((await log().topics('t'))[0]!.extents[0]!.end);
    const read = await log().read('t', 0, 0, 100);
    expect(read.map(({ key, value }) => ({ key, value }))).toEqual(records);
    expect(read[0]!.offset).toBe(0);
    for (const [index, record] of read.entries()) {
      if (index > 0) expect(record.offset).toBeGreaterThan(read[index - 1]!.offset);
    }
    expect(await log().read('t', 0, appended!.end, 10)).toEqual([]);
    expect(await log().read('t', 0, read[2]!.offset, 2)).toEqual(read.slice(2, 4));
  });

  test('a record larger than any batch survives', async () => {
    await log().ensureTopic('t', { partitions: 1 });
    const value = Buffer.alloc(700_000, 'large ');
    await log().append([{ topic: 't', partition: 0, records: [text('a'), { key: null, value }, text('b')] }]);
    const read = await log().read('t', 0, 0, 10);
    expect(read.map((record) => record.value?.length)).toEqual([1, value.length, 1]);
    expect(read[1]!.value!.equals(value)).toBe(true);
  });

  test('an unknown topic or partition is refused', async () => {
    await log().ensureTopic('t', { partitions: 1 });
    await expect(
      log().append([{ topic: 'none', partition: 0, records: numbers(0, 1) }]),
    ).rejects.toMatchObject({
      code: 'LOG_TOPIC_UNKNOWN',
      disposition: 'user',
    });
    await expect(log().append([{ topic: 't', partition: 1, records: numbers(0, 1) }])).rejects.toMatchObject({
      code: 'LOG_PARTITION_UNKNOWN',
    });
    await expect(log().read('none', 0, 0, 1)).rejects.toMatchObject({ code: 'LOG_TOPIC_UNKNOWN' });
  });

  test('ensureTopic is idempotent, widens, and never removes partitions', async () => {
    await Promise.all([1, 2, 3].map(() => log().ensureTopic('t', { partitions: 2 })));
    await log().append([{ topic: 't', partition: 1, records: numbers(0, 3) }]);
    await log().ensureTopic('t', { partitions: 4 });
    await log().ensureTopic('t', { partitions: 1 });
    const [topic] = await log().topics();
    expect(topic).toMatchObject({ topic: 't', partitions: 4 });
    expect(topic!.extents).toHaveLength(4);
    expect((await log().read('t', 1, 0, 10)).length).toBe(3);
  });

  test('topics lists by prefix; a deleted topic is gone, made anew it starts from nothing', async () => {
    for (const topic of ['a.x', 'a.y', 'b']) await log().ensureTopic(topic, { partitions: 1 });
    await log().append([{ topic: 'a.x', partition: 0, records: numbers(0, 5) }]);
    expect((await log().topics('a.')).map((info) => info.topic).sort()).toEqual(['a.x', 'a.y']);
    await log().deleteTopic('a.x');
    await log().deleteTopic('a.x');
    expect((await log().topics('a.')).map((info) => info.topic)).toEqual(['a.y']);
    await log().ensureTopic('a.x', { partitions: 1 });
    expect(await log().read('a.x', 0, 0, 10)).toEqual([]);
  });
}
