import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Column, TableSchema, Warehouse } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { column, scalar, tableSchema } from '../sink/testing/events.ts';
import {
  createDatabase,
  createTable,
  evolve,
  type Layout,
  makingLayout,
  planEvolution,
  readTable,
  wantedColumns,
} from './index.ts';

let clickhouse: TestClickHouse;
let layout: Layout;
beforeAll(async () => {
  clickhouse = await testClickHouse();
  await clickhouse.warehouse.command(createDatabase('shop'));
  layout = await makingLayout(clickhouse.warehouse);
});
afterAll(() => clickhouse[Symbol.asyncDispose]());

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);

/** A table's columns at one version: attnum -> name and nullability. New attnums only grow, as in the source. */
const shape = fc
  .uniqueArray(
    fc.record({
      attnum: fc.integer({ min: 2, max: 9 }),
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      nullable: fc.boolean(),
    }),
    {
      selector: (it) => it.attnum,
      maxLength: 4,
    },
  )
  .map((items) =>
    items.filter((item, index) => items.findIndex((other) => other.name === item.name) === index),
  )
  .map((items) => items.sort((a, b) => a.attnum - b.attnum));

const schemaOf = (
  table: string,
  version: number,
  items: readonly { attnum: number; name: string; nullable: boolean }[],
): TableSchema => {
  const columns = items.map(
    ({ attnum, name, nullable }): Column =>
      column(attnum, name, scalar(attnum % 2 === 0 ? 'date' : 'text'), {
        nullable,
        fill: nullable ? null : attnum % 2 === 0 ? '2024-01-01' : 'f',
      }),
  );
  return tableSchema(table, columns, { version });
};

class Crash extends Error {}

/** The warehouse, whose process dies before or after its n-th statement. */
function dying(warehouse: Warehouse, statements: number, after: boolean): Warehouse {
  let left = statements;
  return {
    ...warehouse,
    async command(sql, options) {
      left -= 1;
      if (left < 0 && !after) throw new Crash();
      await warehouse.command(sql, options);
      if (left < 0) throw new Crash();
    },
  };
}

test(`any sequence of shapes, interrupted anywhere, ends in the wanted one (seed ${seed})`, async () => {
  let run = 0;
  const { warehouse } = clickhouse;
  await fc.assert(
    fc.asyncProperty(
      fc.array(shape, { minLength: 2, maxLength: 4 }),
      fc.nat(4),
      fc.boolean(),
      async (shapes, crashAt, after) => {
        run += 1;
        const table = `t${run}`;
        const versions = shapes.map((items, index) => schemaOf(table, index + 1, items));
        await warehouse.command(createTable(versions[0]!, 1, table, layout));
        await warehouse.command(`INSERT INTO shop.${table} (id) VALUES (1)`);
        for (const schema of versions.slice(1)) {
          const read = () => readTable(warehouse, 'shop', table);
          await evolve(dying(warehouse, crashAt, after), (await read())!, schema).catch((error: unknown) => {
            if (!(error instanceof Crash)) throw error;
          });
          const now = await evolve(warehouse, (await read())!, schema);
          expect(now.version).toBe(schema.version);
          expect(now.columns.map(({ attnum, name }) => [attnum, name])).toEqual(
            wantedColumns(schema).map(({ attnum, name }) => [attnum, name]),
          );
          const rest = planEvolution(now, schema);
          expect(rest.kind === 'steps' ? rest.steps.length : 0).toBe(1);
        }
        const [count] = await warehouse.query<{ n: string }>(`SELECT count() AS n FROM shop.${table} FINAL`);
        expect(Number(count?.n)).toBe(1);
        await warehouse.command(`DROP TABLE shop.${table} SYNC`);
      },
    ),
    { seed, numRuns: 20 },
  );
}, 120_000);

test('another key or an incompatible type asks for a new snapshot', async () => {
  const { warehouse } = clickhouse;
  const one = tableSchema('fixed', [
    column(2, 'n', scalar('int4')),
    column(3, 'd', scalar('numeric', { precision: 5, scale: 2 })),
  ]);
  await warehouse.command(createTable(one, 1));
  const now = (await readTable(warehouse, 'shop', 'fixed'))!;
  expect(() => planEvolution(now, { ...one, version: 2, key: ['n'] })).toThrow('new snapshot');
  const typed = (position: number, type: Column['type']): TableSchema => ({
    ...one,
    version: 2,
    columns: one.columns.map((it, index) => (index === position ? { ...it, type } : it)),
  });
  expect(() => planEvolution(now, typed(1, scalar('text')))).toThrow('new snapshot');
  const wider = await evolve(warehouse, now, typed(2, scalar('numeric', { precision: 9, scale: 3 })));
  expect(wider.columns[2]?.type).toBe('Nullable(Decimal(9, 3))');
});
