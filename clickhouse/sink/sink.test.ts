import { afterAll, beforeAll, expect, test } from 'vitest';
import { UNAVAILABLE } from '#kernel';
import { column, event, scalar, tableSchema } from './testing/events.ts';
import { testWorld, type World } from './testing/world.ts';

let world: World;
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

test('snapshot rows, inserts, updates and deletes converge', async () => {
  const schema = tableSchema('basic', [
    column(2, 'name', scalar('text')),
    column(3, 'at', scalar('timestamptz')),
  ]);
  await world.register(schema, { rows: '1\tone\t2024-01-01 00:00:00\t{}\n2\ttwo\t\\N\t{}\n' });
  const sink = world.sink();
  await sink.start();
  await world.append(schema, [
    event(
      schema,
      'c',
      null,
      { id: 3, name: 'th"r\\ee\n\u0001é😀', at: '2024-02-29 10:00:00.5+00' },
      { lsn: 10 },
    ),
    event(schema, 'u', null, { id: 1, name: UNAVAILABLE, at: 'infinity' }, { lsn: 11 }),
    event(schema, 'd', { id: 2 }, null, { lsn: 12 }),
    event(schema, 'u', null, { id: 3, name: UNAVAILABLE, at: '2024-02-29 11:00:00+00' }, { lsn: 13 }),
  ]);
  await world.drained();
  expect(await world.rows(schema, 'id, name, at, _raw')).toEqual([
    { id: 1, name: 'one', at: '2299-12-31 23:59:59.999999', _raw: { at: 'infinity' } },
    { id: 3, name: 'th"r\\ee\n\u0001é😀', at: '2024-02-29 11:00:00.000000', _raw: {} },
  ]);
  await sink.stop();
});
