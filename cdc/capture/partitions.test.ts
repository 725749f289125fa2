import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { addSource, resnapshotSource } from './sources.ts';
import { converges, eventsOf, streams, world } from './testing.ts';

test('a topic that is widened keeps its keys where they are until the next generation', async () => {
  await using at = await world();
  const { app, log, registry } = at;
  await app.query('CREATE TABLE t (id int PRIMARY KEY, v text)');
  const first = at.capture({ partitions: 1 });
  await first.start();
  await addSource(at.pool, log, { name: 'shop', kind: 'postgres', url: at.url('shop') });
  await streams(at, 't');
  await app.query("INSERT INTO t SELECT i, 'old' FROM generate_series(1, 50) i");
  await converges(at, app, 't', ['id']);
  await first.stop();

  await at.capture({ partitions: 4 }).start();
  await app.query("UPDATE t SET v = 'new'");
  await converges(at, app, 't', ['id']);
  expect((await log.topics('shop.public.t'))[0]).toMatchObject({ partitions: 4 });
  const partitions = async () =>
    new Set((await eventsOf(log, 'shop', 't')).map(({ partition }) => partition));
  expect(await partitions()).toEqual(new Set([0]));

  await resnapshotSource(at.pool, log, 'shop', ['t']);
  await eventually(
    async () => {
      const entry = await registry.table({ source: 'shop', schema: 'public', table: 't' });
      return entry?.generation === 2 && entry.state === 'streaming' ? true : undefined;
    },
    30_000,
    () => 'the table did not begin anew',
  );
  await app.query("UPDATE t SET v = 'newest'");
  await converges(at, app, 't', ['id']);
  expect(await partitions()).toEqual(new Set([0, 1, 2, 3]));
});
