import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LogRecord, type StoredRecord, type TableEntry, type TableSchema, UNAVAILABLE } from '#kernel';
import { type TestCluster, testCluster } from '#tests/cluster';
import { applyBatch } from './apply.ts';
import { Rows } from './rows.ts';
import { SinkTable } from './table.ts';
import { column, event, scalar, tableSchema } from './testing/events.ts';
import { testWorld, type World } from './testing/world.ts';

let cluster: TestCluster;
const worlds: World[] = [];
beforeAll(async () => {
  cluster = await testCluster(2);
  worlds.push(await testWorld(), await testWorld(cluster));
});
afterAll(async () => {
  for (const world of worlds) await world[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);

interface Change {
  readonly kind: 'upsert' | 'delete' | 'move' | 'truncate';
  readonly id: number;
  readonly to: number;
  readonly value: string;
  readonly partial: boolean;
}

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant('upsert' as const) },
    { weight: 4, arbitrary: fc.constant('delete' as const) },
    { weight: 10, arbitrary: fc.constant('move' as const) },
    { weight: 1, arbitrary: fc.constant('truncate' as const) },
  ),
  id: fc.integer({ min: 1, max: 4 }),
  to: fc.integer({ min: 1, max: 4 }),
  value: fc.string({ maxLength: 4 }),
  partial: fc.boolean(),
});

interface Row {
  readonly id: number;
  readonly small: string;
  readonly big: string;
}

interface Step {
  readonly state: ReadonlyMap<number, Row>;
  /** The events of the change; `seen` is the source as a reader finds it when it sends them. */
  readonly send: (seen: ReadonlyMap<number, Row>) => LogRecord[];
}

/**
 * Plays the changes on a model of the source. The native reader takes what a changed key leaves out from
 * the source as it finds it then; Debezium leaves it out.
 */
function play(schema: TableSchema, changes: readonly Change[], native: boolean): Step[] {
  const rows = new Map<number, Row>();
  const steps: Step[] = [];
  for (const [index, { kind, id, to, value, partial }] of changes.entries()) {
    const at = { lsn: (index + 1) * 10, gen: native ? 1 : null };
    const now = rows.get(id);
    let send: Step['send'] = () => [];
    if (kind === 'truncate') {
      rows.clear();
      send = () => [event(schema, 't', null, null, at)];
    } else if (kind === 'upsert') {
      const next = { id, small: value, big: now !== undefined && partial ? now.big : `big ${value}` };
      rows.set(id, next);
      const sent = now !== undefined && partial ? { ...next, big: UNAVAILABLE } : next;
      send = () => [event(schema, now === undefined ? 'c' : 'u', null, { ...sent }, at)];
    } else if (now !== undefined && kind === 'delete') {
      rows.delete(id);
      send = () => [event(schema, 'd', { id }, null, at)];
    } else if (now !== undefined && kind === 'move' && !rows.has(to)) {
      rows.delete(id);
      rows.set(to, { ...now, id: to });
      send = (seen) => {
        const big = !partial ? now.big : ((native ? seen.get(to)?.big : undefined) ?? UNAVAILABLE);
        return [event(schema, 'd', { id }, null, at), event(schema, 'c', null, { ...now, id: to, big }, at)];
      };
    }
    steps.push({ state: new Map(rows), send });
  }
  return steps;
}

const tsv = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');

interface Telling {
  readonly native: boolean;
  /** How many changes were made before the snapshot read the table; their events come as well. */
  readonly snapshotAt: number;
  /** At most so many changes are made before the reader sends one. */
  readonly delay: number;
  /** The reader ends behind `after` changes and begins again so many earlier. */
  readonly resent: readonly { readonly after: number; readonly back: number }[];
}

const telling: fc.Arbitrary<Telling> = fc.record({
  native: fc.boolean(),
  snapshotAt: fc.nat(20),
  delay: fc.nat(10),
  resent: fc.array(fc.record({ after: fc.nat(40), back: fc.integer({ min: 1, max: 20 }) }), {
    minLength: 1,
    maxLength: 4,
  }),
});

/** What is in the log in the end. */
function written(steps: readonly Step[], { native, delay, resent }: Telling): LogRecord[] {
  const records: LogRecord[] = [];
  const send = (index: number, late: number): void => {
    const seen = steps[Math.min(index + late, steps.length - 1)]!.state;
    records.push(...steps[index]!.send(seen));
  };
  for (let index = 0; index < steps.length; index += 1) {
    send(index, native ? delay : 0);
    for (const { after, back } of resent) {
      if (after !== index) continue;
      for (let again = Math.max(0, index - back); again <= index; again += 1)
        send(again, delay + index - again);
    }
  }
  return records;
}

test.each([
  ['one server', 0, 12],
  ['a cluster of two shards', 1, 6],
])(
  `deliveries cut and repeated at random leave what the source has, on %s (seed ${seed})`,
  async (_, which, runs) => {
    const world = worlds[which]!;
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { minLength: 10, maxLength: 40 }),
        // A delivery: how many records, and how far the next one starts before its end (a crash in between).
        fc.array(
          fc.record({ size: fc.integer({ min: 1, max: 12 }), again: fc.integer({ min: 0, max: 12 }) }),
          {
            minLength: 12,
            maxLength: 30,
          },
        ),
        fc.boolean(),
        telling,
        async (changes, deliveries, merge, told) => {
          run += 1;
          const schema = tableSchema(`again_${run}`, [
            column(2, 'small', scalar('text')),
            column(3, 'big', scalar('text')),
          ]);
          const steps = play(schema, changes, told.native);
          const snapshot = told.native
            ? (steps[told.snapshotAt - 1]?.state ?? new Map<number, Row>())
            : new Map();
          await world.register(schema, {
            rows: [...snapshot.values()]
              .map((row: Row) => `${row.id}\t${tsv(row.small)}\t${tsv(row.big)}\t{}\n`)
              .join(''),
          });
          const stored = written(steps, told).map((record, offset): StoredRecord => ({ ...record, offset }));
          const buffer = new Rows(1024);
          let at = 0;
          for (let round = 0; at < stored.length; round += 1) {
            const { size, again } = deliveries[round % deliveries.length]!;
            // A new process each time: nothing is remembered but what ClickHouse has.
            const entry = (await world.registry.table(schema)) as TableEntry;
            const table = new SinkTable(entry, world.warehouse, world.registry, false);
            const batch = stored.slice(at, at + size);
            const result = await applyBatch(batch, table, buffer, {
              warehouse: world.warehouse,
              signal: new AbortController().signal,
              maxDead: 10,
              shared: false,
              partition: 0,
              looked: async () => true,
              spread: async () => undefined,
              // Capture reads the row as the source has it by now, and appends it.
              completed: async (moved) => {
                for (const { row: asked } of moved) {
                  const row = steps.at(-1)!.state.get(Number(asked.key.id));
                  if (!row) continue;
                  const record = event(schema, 'c', null, { ...row }, { lsn: asked.lsn });
                  stored.push({ ...record, offset: stored.length });
                }
                return null;
              },
              deadKeys: async () => new Set(),
            });
            expect(result.dead).toEqual([]);
            if (merge) await world.merge(schema);
            // Ends: a crash loses the offsets, never more than one whole delivery's worth of new ones.
            at = Math.max(
              // Not `size`: what has been appended meanwhile was not among what was delivered.
              at + batch.length - (round < deliveries.length ? again % size : 0),
              at + (round % 3 === 0 ? 0 : 1),
            );
            if (round > 200) at = stored.length;
          }
          const rows = [...steps.at(-1)!.state.values()].sort((a, b) => a.id - b.id);
          expect(await world.rows(schema, 'id, small, big')).toEqual(rows);
        },
      ),
      // Looking for a smaller counterexample ends in time to show the one found.
      { seed, numRuns: Number(process.env.RUNS ?? runs), interruptAfterTimeLimit: 120_000 },
    );
  },
  180_000,
);
