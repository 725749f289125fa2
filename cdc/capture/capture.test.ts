import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { addSource } from './sources.ts';
import { eventsOf, foldTable, sourceTable, type World, world } from './testing.ts';

async function converges({ app, ...rest }: World, table: string, key: string[]): Promise<void> {
  let last = '';
  await eventually(
    async () => {
      const expected = await sourceTable(app, table, key);
      const found = await foldTable(rest, 'shop', table);
      last = `expected ${expected.size} rows, found ${found.size}`;
      try {
        expect(found).toEqual(expected);
        return true;
      } catch (error) {
        last = String(error).slice(0, 2000);
        return undefined;
      }
    },
    30_000,
    () => last,
  );
}

test('snapshot and every kind of change arrive', async () => {
  await using at = await world();
  const { app, pool, log } = at;
  await app.query('CREATE TABLE item (id int PRIMARY KEY, name text, price numeric, big text, live boolean)');
  await app.query(
    "INSERT INTO item SELECT i, 'item ' || i, i / 7.0, NULL, i % 2 = 0 FROM generate_series(1, 5000) i",
  );
  await at.capture().start();
  await addSource(pool, log, { name: 'shop', kind: 'postgres', url: at.url('shop') });
  await converges(at, 'item', ['id']);
  await app.query(
    "INSERT INTO item VALUES (6000, 'new \"q\" \\ \n tab\t ünï', 1.50, repeat('x', 100), true)",
  );
  await app.query('UPDATE item SET price = price + 1 WHERE id < 100');
  await app.query('DELETE FROM item WHERE id BETWEEN 50 AND 60');
  await app.query('UPDATE item SET id = 7000 WHERE id = 70');
  await converges(at, 'item', ['id']);
  const events = await eventsOf(log, 'shop', 'item');
  expect(new Set(events.map(({ value }) => value.op))).toEqual(new Set(['c', 'u', 'd']));
  await app.query('TRUNCATE item');
  await app.query("INSERT INTO item VALUES (1, 'after truncate')");
  await converges(at, 'item', ['id']);
});
