import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { snapshotVersion } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { column, scalar, tableSchema } from '../sink/testing/events.ts';
import { createDatabase, createTable, makingLayout } from './index.ts';

let clickhouse: TestClickHouse;
beforeAll(async () => {
  clickhouse = await testClickHouse();
  await clickhouse.warehouse.command(createDatabase('shop'));
});
afterAll(() => clickhouse[Symbol.asyncDispose]());

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const ROWS = 40_000;
const DAY = 86_400;
const placed = (second: number): string => `toDateTime64(${second}, 6, 'UTC')`;

/** 400 days of orders in the order of their ids, a hundred a day. */
async function filled(table: string): Promise<void> {
  const { warehouse } = clickhouse;
  const layout = await makingLayout(warehouse);
  const times = [
    column(2, 'placed', scalar('timestamptz'), { nullable: false }),
    column(3, 'paid', scalar('timestamptz')),
  ];
  await warehouse.command(createTable(tableSchema(table, times), 1, table, layout));
  await warehouse.command(`SYSTEM STOP MERGES shop.${table}`);
  await warehouse.command(
    `INSERT INTO shop.${table} (id, placed, _version) SELECT number, ${placed(DAY)} + number * ${DAY / 100}, ${snapshotVersion(1)} FROM numbers(${ROWS})`,
  );
}

test('a question about a day reads that day, and not what a column that may be NULL holds', async () => {
  const { warehouse } = clickhouse;
  await filled('many');
  const day = `SELECT count() AS n FROM shop.many FINAL WHERE placed >= ${placed(50 * DAY)} AND placed < ${placed(51 * DAY)}`;
  expect(await warehouse.query(day)).toEqual([{ n: '100' }]);
  const explained = await warehouse.query<{ explain: string }>(`EXPLAIN indexes = 1 ${day}`);
  const text = explained.map((row) => row.explain).join('\n');
  expect(text).toMatch(/Skip[\s\S]*auto_minmax_index_placed[\s\S]*Granules: 1\/5/);
  const indexes = await warehouse.query("SELECT expr FROM system.data_skipping_indices WHERE table = 'many'");
  expect(indexes).toEqual([{ expr: 'placed' }, { expr: '_committed_at' }]);
});

const change = fc.record({
  id: fc.nat(ROWS - 1),
  day: fc.integer({ min: 1, max: 400 }),
  deleted: fc.boolean(),
});

test(`rows that have moved to another time or are deleted count where they are now (seed ${seed})`, async () => {
  const { warehouse } = clickhouse;
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 30 })), {
        minLength: 3,
        maxLength: 3,
      }),
      async (inserts, ranges) => {
        run += 1;
        const table = `moved${run}`;
        await filled(table);
        const now = new Map<number, { second: number; deleted: boolean }>();
        let version = BigInt(snapshotVersion(1));
        for (const changes of inserts) {
          const rows = changes.map(({ id, day, deleted }) => {
            version += 1n;
            now.set(id, { second: day * DAY, deleted });
            return `(${id}, ${placed(day * DAY)}, ${version}, ${Number(deleted)})`;
          });
          await warehouse.command(
            `INSERT INTO shop.${table} (id, placed, _version, _deleted) VALUES ${rows}`,
          );
        }
        for (const [day, days] of ranges) {
          const [from, to] = [day * DAY, (day + days) * DAY];
          let expected = 0;
          for (let id = 0; id < ROWS; id += 1) {
            const row = now.get(id) ?? { second: DAY + id * (DAY / 100), deleted: false };
            if (!row.deleted && row.second >= from && row.second < to) expected += 1;
          }
          const found = await warehouse.query(
            `SELECT count() AS n FROM (SELECT * FROM shop.${table} FINAL WHERE _deleted = 0) WHERE placed >= ${placed(from)} AND placed < ${placed(to)}`,
          );
          expect(found).toEqual([{ n: String(expected) }]);
        }
        await warehouse.command(`DROP TABLE shop.${table} SYNC`);
      },
    ),
    { seed, numRuns: 10 },
  );
}, 60_000);
