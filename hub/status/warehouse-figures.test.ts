import { expect, test } from 'vitest';
import { testCluster } from '#tests/cluster';
import { WarehouseReader } from './warehouse-figures.ts';

test('figures of a table in a cluster are those of the tables behind it', async () => {
  await using cluster = await testCluster(1);
  const { warehouse } = cluster;
  const columns = 'id UInt32, _version UInt64, _deleted UInt8';
  await warehouse.command('CREATE DATABASE shop');
  await warehouse.command(
    `CREATE TABLE shop.item__g3 (${columns}) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`,
  );
  await warehouse.command(`CREATE TABLE shop.item (${columns}) ENGINE = Distributed(main, shop, item__g3)`);
  await warehouse.command('INSERT INTO shop.item__g3 VALUES (1, 1, 0), (2, 1, 0)');
  await warehouse.command('INSERT INTO shop.item__g3 VALUES (1, 2, 1)');
  const { tables, error } = await new WarehouseReader(warehouse).read(['shop'], new AbortController().signal);
  expect(error).toBeNull();
  expect([...tables.keys()]).toEqual(['shop.item']);
  expect(tables.get('shop.item')).toMatchObject({ rows: 1, exact: true });
}, 30_000);
