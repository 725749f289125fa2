import { expect, test } from 'vitest';
import { CONTROL_TOPIC, CONTROL_TOPIC_CONFIG, type ControlMessage } from '#kernel';
import { eventually } from '#tests/eventually';
import { testLog } from '#tests/log';
import { LogWriter } from './writer.ts';

test('a watermark never tells less than one before it, whatever comes late', async () => {
  const at = await testLog();
  await at.log.ensureTopic(CONTROL_TOPIC, CONTROL_TOPIC_CONFIG);
  const writer = new LogWriter({
    log: at.log,
    source: 'shop',
    ends: new Map(),
    onDurable: () => {},
    onError: (error) => {
      throw error;
    },
  });
  const told = async (): Promise<number[]> =>
    (await at.log.read(CONTROL_TOPIC, 0, 0, 100)).map(
      ({ value }) =>
        (JSON.parse(value!.toString()) as Extract<ControlMessage, { type: 'watermark' }>).committedAt,
    );
  // The clock read before a commit is shown to be passed only after it.
  for (const [lsn, committedAt] of [
    [1, 1_000],
    [2, 3_000],
    [3, 2_000],
    [4, 4_000],
  ] as const) {
    writer.announce({ lsn, committedAt });
    await eventually(async () => ((await told()).length === lsn ? true : undefined), 5_000);
  }
  expect(await told()).toEqual([1_000, 3_000, 3_000, 4_000]);
  await writer.close();
  await at.stop();
});
