import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger, type Warehouse } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { CLUSTER, clusterConfig, testCluster } from '#tests/cluster';
import { eventually } from '#tests/eventually';
import { createWarehouse } from './index.ts';

let hosts: TestClickHouse[];
let warehouse: Warehouse;
beforeEach(async () => {
  hosts = await Promise.all([testClickHouse(), testClickHouse()]);
  const [{ user, password }] = hosts as [TestClickHouse];
  const url = hosts.map((host) => host.url).join(' , ');
  warehouse = createWarehouse({ url, user, password, log: silentLogger() });
  for (const host of hosts) {
    await host.warehouse.command('CREATE DATABASE shop');
    await host.warehouse.command(
      'CREATE TABLE shop.t (id UInt32, v UInt32) ENGINE = ReplacingMergeTree(v) ORDER BY id',
    );
  }
}, 60_000);
afterEach(async () => {
  await warehouse.close();
  await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()));
});

const idsOf = async (host: TestClickHouse): Promise<number[]> =>
  (await host.warehouse.query<{ id: number }>('SELECT id FROM shop.t FINAL ORDER BY id')).map(({ id }) => id);

/** The host whose engine answers the warehouse's statements now. */
async function present(): Promise<number> {
  await warehouse.insert('INSERT INTO shop.t', 'TabSeparated', Buffer.from('0\t1\n'));
  const has = await Promise.all(hosts.map(async (host) => (await idsOf(host)).includes(0)));
  return has.indexOf(true);
}

test('a host killed under inserts: the other takes over; what was acknowledged is there, once', async () => {
  const first = await present();
  const acknowledged: number[] = [0];
  let next = 1;
  let stop = false;
  const writers = Array.from({ length: 4 }, async () => {
    while (!stop) {
      const from = next;
      next += 50;
      const ids = Array.from({ length: 50 }, (_, n) => from + n);
      await warehouse.insert(
        'INSERT INTO shop.t',
        'TabSeparated',
        Buffer.from(ids.map((id) => `${id}\t1\n`).join('')),
      );
      acknowledged.push(...ids);
    }
  });
  await eventually(async () => (acknowledged.length > 500 ? true : undefined), 20_000);
  await hosts[first]!.kill9();
  const then = acknowledged.length;
  await eventually(async () => (acknowledged.length > then + 500 ? true : undefined), 20_000);
  stop = true;
  await Promise.all(writers);
  await hosts[first]!.restart();
  const [a, b] = [await idsOf(hosts[first]!), await idsOf(hosts[1 - first]!)];
  const there = [...new Set([...a, ...b])].sort((x, y) => x - y);
  expect(there).toEqual([...acknowledged].sort((x, y) => x - y));
  expect([new Set(a).size, new Set(b).size]).toEqual([a.length, b.length]);
  expect(b.length).toBeGreaterThan(400);
  // The sink reads what it has written: it stays where it is although the first one is back.
  expect(await present()).toBe(0);
  await warehouse.insert('INSERT INTO shop.t', 'TabSeparated', Buffer.from('4000000\t1\n'));
  expect(await idsOf(hosts[1 - first]!)).toContain(4_000_000);
}, 60_000);

test('a statement that may have been executed is not sent to another host; one that was never sent is', async () => {
  const first = await present();
  const [one, other] = [hosts[first]!, hosts[1 - first]!];
  const under = warehouse
    .command('INSERT INTO shop.t SELECT 7 + sleep(2), 1')
    .catch((error: unknown) => error);
  await eventually(async () => {
    const running = await one.warehouse.query(
      "SELECT 1 FROM system.processes WHERE query LIKE '%7 + sleep(2)%'",
    );
    return running.length > 0 ? true : undefined;
  }, 20_000);
  await one.kill9();
  expect(await under).toMatchObject({ code: 'WAREHOUSE_UNREACHABLE', disposition: 'transient' });
  expect(await idsOf(other)).not.toContain(7);
  await warehouse.command('INSERT INTO shop.t SELECT 8, 1');
  expect(await idsOf(other)).toContain(8);
  expect(await warehouse.ping()).toBe(true);
}, 60_000);

test('a host that hangs is noticed, before it is used and while it works', async () => {
  const first = await present();
  const { pid } = hosts[first]!;
  const under = warehouse.query(
    "SELECT sleepEachRow(1), 'there' AS v FROM numbers(3) SETTINGS max_block_size = 1",
  );
  process.kill(pid, 'SIGSTOP');
  try {
    expect(await under).toHaveLength(3);
    expect(await warehouse.query('SELECT count() > 0 AS n FROM shop.t')).toEqual([{ n: 0 }]);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}, 60_000);

test('no host at all: after some time a typed, transient error', async () => {
  for (const host of hosts) await host.kill9();
  await expect(warehouse.query('SELECT 1')).rejects.toMatchObject({
    code: 'WAREHOUSE_UNREACHABLE',
    disposition: 'transient',
  });
  expect(await warehouse.ping()).toBe(false);
}, 60_000);

test('hosts say themselves which shard they are; what does not fit the cluster is refused by name', async () => {
  await using cluster = await testCluster(2);
  const shards = await cluster.warehouse.cluster!.shards();
  const ports = await Promise.all(
    shards.map((shard) => shard.query<{ port: number }>('SELECT port FROM system.clusters WHERE is_local')),
  );
  expect(ports.map(([row]) => row!.port)).toEqual([9100, 9101]);
  expect(clusterConfig(0, 2)).toContain(CLUSTER);

  const [{ user, password }] = hosts as [TestClickHouse];
  const open = (url: string, name: string): Warehouse =>
    createWarehouse({ url, user, password, log: silentLogger(), cluster: { name, replicated: false } });
  const refused = async (url: string, name: string): Promise<unknown> => {
    const wrong = open(url, name);
    return wrong
      .cluster!.shards()
      .catch((error: unknown) => error)
      .finally(() => wrong.close());
  };
  expect(await refused(cluster.url, 'other')).toMatchObject({ code: 'CLUSTER_UNKNOWN', disposition: 'user' });
  expect(await refused(cluster.url.split(',')[0]!, CLUSTER)).toMatchObject({
    code: 'CLUSTER_SHARD_UNREACHABLE',
    disposition: 'transient',
  });
}, 60_000);
