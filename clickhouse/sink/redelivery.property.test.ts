import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type LogRecord,
  type StoredRecord,
  type TableEntry,
  type TableSchema,
  topicOf,
  UNAVAILABLE,
} from '#kernel';
import { applyBatch } from './apply.ts';
import { Rows } from './rows.ts';
import { SinkTable } from './table.ts';
import { column, event, scalar, tableSchema } from './testing/events.ts';
import { testWorld, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

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
    { weight: 3, arbitrary: fc.constant('move' as const) },
    { weight: 1, arbitrary: fc.constant('truncate' as const) },
  ),
  id: fc.integer({ min: 1, max: 6 }),
  to: fc.integer({ min: 1, max: 6 }),
  value: fc.string({ maxLength: 4 }),
  partial: fc.boolean(),
});

interface Row {
  readonly id: number;
  readonly small: string;
  readonly big: string;
}

/** Plays the changes on a model of the source; returns its events and what must be left at the end. */
function play(schema: TableSchema, changes: readonly Change[]): { records: LogRecord[]; rows: Row[] } {
  const rows = new Map<number, Row>();
  const records: LogRecord[] = [];
  for (const [index, { kind, id, to, value, partial }] of changes.entries()) {
    const lsn = (index + 1) * 10;
    const now = rows.get(id);
    if (kind === 'truncate') {
      rows.clear();
      records.push(event(schema, 't', null, null, { lsn }));
    } else if (kind === 'upsert') {
      const next = { id, small: value, big: now !== undefined && partial ? now.big : `big ${value}` };
      rows.set(id, next);
      const sent = now !== undefined && partial ? { ...next, big: UNAVAILABLE } : next;
      records.push(event(schema, now === undefined ? 'c' : 'u', null, { ...sent }, { lsn }));
    } else if (now !== undefined && kind === 'delete') {
      rows.delete(id);
      records.push(event(schema, 'd', { id }, null, { lsn }));
    } else if (now !== undefined && !rows.has(to)) {
      rows.delete(id);
      rows.set(to, { ...now, id: to });
      records.push(event(schema, 'd', { id }, null, { lsn }));
      records.push(
        event(schema, 'c', null, { ...now, id: to, big: partial ? UNAVAILABLE : now.big }, { lsn }),
      );
    }
  }
  return { records, rows: [...rows.values()].sort((a, b) => a.id - b.id) };
}

test(`deliveries cut and repeated at random leave what the source has (seed ${seed})`, async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 40 }),
      // A delivery: how many records, and how far the next one starts before its end (a crash in between).
      fc.array(fc.record({ size: fc.integer({ min: 1, max: 12 }), again: fc.integer({ min: 0, max: 12 }) }), {
        minLength: 12,
        maxLength: 30,
      }),
      fc.boolean(),
      async (changes, deliveries, merge) => {
        run += 1;
        const schema = tableSchema(`again_${run}`, [
          column(2, 'small', scalar('text')),
          column(3, 'big', scalar('text')),
        ]);
        await world.register(schema);
        const { records, rows } = play(schema, changes);
        const stored = records.map((record, offset): StoredRecord => ({ ...record, offset }));
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
            shared: true,
            deadKeys: async () => new Set(),
          });
          expect(result.dead).toEqual([]);
          if (merge) await world.warehouse.command(`OPTIMIZE TABLE shop.${schema.table} FINAL`);
          // Ends: a crash loses the offsets, never more than one whole delivery's worth of new ones.
          at = Math.max(
            at + size - (round < deliveries.length ? again % size : 0),
            at + (round % 3 === 0 ? 0 : 1),
          );
          if (round > 200) at = stored.length;
        }
        expect(await world.rows(schema, 'id, small, big')).toEqual(rows);
        expect(topicOf(schema)).toContain('again');
      },
    ),
    { seed, numRuns: Number(process.env.RUNS ?? 12) },
  );
}, 180_000);
