import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestCluster, testCluster } from '#tests/cluster';
import { verifyTables } from './index.ts';
import { type Pipeline, pipeline } from './testing.ts';

let cluster: TestCluster;
let world: Pipeline;
beforeAll(async () => {
  cluster = await testCluster(1);
  world = await pipeline(cluster);
  await world.app.query(`
    CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10, 2));
    INSERT INTO item SELECT i, 'item ' || i, i * 1.5 FROM generate_series(1, 500) i`);
}, 120_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

it('a table of a cluster is compared through its Distributed table, and repaired', async () => {
  const { app, pool, registry, warehouse, log } = world;
  await world.capture(2);
  await world.state('item', 'streaming');
  await world.sink();
  await app.query("UPDATE item SET name = 'changed' WHERE id % 2 = 0; DELETE FROM item WHERE id > 490");
  const verify = (repair: boolean) =>
    verifyTables({ pool, registry, warehouse, log, source: 'shop', repair });
  expect((await verify(false)).tables).toMatchObject([
    { table: 'public.item', state: 'ok', sourceRows: 490 },
  ]);
  // Rows that are lost, wrong, and too many.
  await warehouse.command('ALTER TABLE shop.item__g1 DELETE WHERE id <= 5', {
    settings: { mutations_sync: 2 },
  });
  await warehouse.command("ALTER TABLE shop.item__g1 UPDATE name = 'wrong' WHERE id = 7", {
    settings: { mutations_sync: 2 },
  });
  await warehouse.command("INSERT INTO shop.item__g1 (id, name) VALUES (9999, 'extra')");
  expect((await verify(false)).tables).toMatchObject([{ state: 'different', differences: 7 }]);
  expect((await verify(true)).tables).toMatchObject([{ state: 'repaired', repaired: 7 }]);
  expect((await verify(false)).tables).toMatchObject([{ state: 'ok', warehouseRows: 490 }]);
}, 120_000);
