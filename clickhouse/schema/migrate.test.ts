import { expect, test } from 'vitest';
import { testClickHouse } from '#tests/clickhouse';
import { column, scalar, tableSchema } from '../sink/testing/events.ts';
import { createDatabase, createTable } from '../tables/index.ts';
import { migrateWarehouse } from './index.ts';

test('migrations run once, also twice at once, and describe captured tables', async () => {
  await using clickhouse = await testClickHouse();
  const { warehouse } = clickhouse;
  await Promise.all([migrateWarehouse(warehouse), migrateWarehouse(warehouse)]);
  await migrateWarehouse(warehouse);
  const schema = tableSchema('things', [column(2, 'name', scalar('text'))], {
    version: 3,
    comment: 'All things',
  });
  await warehouse.command(createDatabase('shop'));
  await warehouse.command(createTable(schema, 2));
  await warehouse.command(createTable(schema, 3, 'things__g3'));
  expect(
    await warehouse.query(
      'SELECT database, table, generation, schema_version, description FROM bac.captured_tables',
    ),
  ).toEqual([
    { database: 'shop', table: 'things', generation: '2', schema_version: '3', description: 'All things' },
  ]);
});
