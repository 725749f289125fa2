import { expect, test } from 'vitest';
import type { Report } from '../fixtures/change-log-process.ts';
import { type ChangeLogUnderTest, randomFrom, startProcess, until } from './harness.ts';

const PARTITIONS = 3;

/** `kill -9` of writers and members at random instants. */
export function crashTests(under: () => ChangeLogUnderTest, rounds: number): void {
  test('no acknowledged record is lost, none is torn, and groups skip none, whoever is killed', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
    const random = randomFrom(seed);
    const context = `SEED=${seed}`;
    const { log } = under();
    await log.ensureTopic('t', { partitions: PARTITIONS });

    const acknowledged = new Set<number>();
    const delivered = Array.from({ length: PARTITIONS }, () => new Map<number, string>());
    const deliveries: Delivery[] = [];
    let next = 0;
    const watch = (report: Report): void => {
      if (report.type === 'written') {
        for (let value = report.from; value < report.next; value += 1) acknowledged.add(value);
        next = Math.max(next, report.next);
      } else if (report.type === 'started') {
        deliveries.push(report);
        for (const [index, value] of report.values.entries()) {
          delivered[report.partition]!.set(report.first + index, value);
        }
      } else if (report.type === 'handled') deliveries.push(report);
    };
    const writer = async (): ReturnType<typeof startProcess> => {
      const child = await startProcess(under());
      child.onReport = watch;
      // Numbers a killed writer may have used without saying so are skipped.
      next += 100_000;
      child.send({ type: 'write', topic: 't', partitions: PARTITIONS, next, batch: 10 });
      return child;
    };
    const member = async (): ReturnType<typeof startProcess> => {
      const child = await startProcess(under());
      child.onReport = watch;
      child.send({ type: 'consume', group: 'g', topics: ['t'], maxBatchRecords: 2000 });
      return child;
    };

    const start = [writer, writer, member, member];
    const children = await Promise.all(start.map((one) => one()));
    for (let round = 0; round < rounds; round += 1) {
      const before = acknowledged.size;
      await until(() => acknowledged.size > before, `round ${round} had written (${context})`);
      await new Promise((resolve) => setTimeout(resolve, random() * 150));
      const victim = Math.floor(random() * children.length);
      await children[victim]!.kill();
      children[victim] = await start[victim]!();
    }
    await Promise.all(children.slice(0, 2).map((child) => child.kill()));
    await until(async () => {
      const lag = await log.lag('g');
      return lag.length === PARTITIONS && lag.every((one) => one.lag === 0);
    }, `all was consumed (${context})`);
    await Promise.all(children.slice(2).map((child) => child.kill()));

    const stored = new Set<number>();
    const [topic] = await log.topics('t');
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      let offset = 0;
      for (;;) {
        const records = await log.read('t', partition, offset, 5000);
        if (records.length === 0) break;
        expect(records[0]!.offset, context).toBe(offset);
        for (const record of records) {
          stored.add(Number(record.value));
          expect(String(record.key), context).toBe(String(partition));
          expect(delivered[partition]!.get(record.offset), `${context}, offset ${record.offset}`).toBe(
            String(record.value),
          );
        }
        offset = records.at(-1)!.offset + 1;
      }
      expect(offset, context).toBe(topic!.extents[partition]!.end);
    }
    expect(
      [...acknowledged].filter((value) => !stored.has(value)),
      context,
    ).toEqual([]);
    expect(gapsOf(deliveries), context).toEqual([]);
  }, 300_000);
}

type Delivery = Report & { readonly type: 'started' | 'handled' };

/** In order, with repetition after a crash, never with a gap: where none began before all below it was handled. */
function gapsOf(deliveries: readonly Delivery[]): string[] {
  const handledTo = new Array<number>(PARTITIONS).fill(0);
  const gaps: string[] = [];
  for (const { type, partition, first, values } of deliveries.toSorted((a, b) =>
    Number(BigInt(a.at) - BigInt(b.at)),
  )) {
    if (type === 'handled') handledTo[partition] = Math.max(handledTo[partition]!, first + values.length);
    else if (first > handledTo[partition]!)
      gaps.push(`partition ${partition}: ${handledTo[partition]} to ${first}`);
  }
  return gaps;
}
