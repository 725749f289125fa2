import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { type Random, seeded } from '#tests/random';
import { type World, world } from './testing/world.ts';

const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

const TABLES = `
  CREATE TABLE orders (id int PRIMARY KEY, note text, total numeric(12,2), paid_at timestamptz, tags text[]);
  CREATE TABLE lines (order_id int, line int, sku text NOT NULL, qty int, PRIMARY KEY (order_id, line))`;

const FILL = `
  INSERT INTO orders SELECT i, 'order ' || i, i * 1.25, now(), ARRAY['a', i::text] FROM generate_series(1, 2500) i;
  INSERT INTO lines SELECT i, n, 'sku' || n, n FROM generate_series(1, 800) i, generate_series(1, 3) n`;

/** One transaction of the application: many updates of few rows, of one or two columns each. */
function transaction(random: Random): string {
  const id = 1 + random.below(60);
  const text = `'${'x'.repeat(random.below(8))}${random.below(1000)}'`;
  const step = (): string => {
    switch (random.below(9)) {
      case 0:
        return `INSERT INTO orders VALUES (${id}, ${text}, ${random.below(99)}, NULL, NULL) ON CONFLICT DO NOTHING`;
      case 1:
        return `DELETE FROM orders WHERE id = ${id}`;
      case 2:
        return `UPDATE orders SET note = ${random.chance(0.3) ? 'NULL' : text} WHERE id = ${id}`;
      case 3:
        return `UPDATE orders SET total = total + 1, tags = ARRAY[${text}, NULL] WHERE id = ${id}`;
      case 4:
        return `UPDATE orders SET paid_at = clock_timestamp() WHERE id BETWEEN ${id} AND ${id + 5}`;
      case 5:
        return `UPDATE orders SET id = ${5000 + random.below(40)} WHERE id = ${id} AND NOT EXISTS (SELECT FROM orders WHERE id >= 5000)`;
      case 6:
        return `UPDATE lines SET qty = qty + 1 WHERE order_id = ${id}`;
      case 7:
        return `DELETE FROM lines WHERE order_id = ${id} AND line = ${random.below(4)}`;
      default:
        return `INSERT INTO lines VALUES (${id}, ${random.below(4)}, ${text}, NULL) ON CONFLICT (order_id, line) DO UPDATE SET sku = excluded.sku`;
    }
  };
  const steps = Array.from({ length: 1 + random.below(6) }, step);
  return ['BEGIN', ...steps, random.chance(0.1) ? 'ROLLBACK' : 'COMMIT'].join(';');
}

async function work({ app }: World, random: Random, transactions: number): Promise<void> {
  for (let at = 0; at < transactions; at += 1) await app.query(transaction(random));
}

const tableOf = ({ registry }: World, table: string) =>
  registry.table({ source: 'shop', schema: 'public', table });

test(`partial updates, re-sent transactions, broken streams, a dead node and a restart lose and blank nothing (seed ${SEED})`, async () => {
  const random = seeded(SEED);
  const chance = seeded(SEED + 1);
  const cutting = { left: 0 };
  await using at = await world({
    nodes: 3,
    omits: () => chance.chance(0.8),
    cuts: () => cutting.left > 0 && chance.chance(0.02) && cutting.left-- > 0,
  });
  await at.ddl(TABLES);
  await at.app.query(FILL);
  const capture = await at.capture();
  await at.add();
  await work(at, random, 40);
  await at.equal('orders', 'lines');
  cutting.left = 3;
  await work(at, random, 90);
  await at.standIn.killNode(0);
  await work(at, random, 60);
  await capture.stop();
  await work(at, random, 30);
  await at.capture();
  await at.standIn.killNode(1);
  await work(at, random, 60);
  await at.equal('orders', 'lines');
  const opened = at.standIn.statements.filter(({ sql }) => sql.startsWith('START_REPLICATION')).length;
  expect([cutting.left, opened >= 4]).toEqual([0, true]);
  expect(await tableOf(at, 'orders')).toMatchObject({ generation: 1, state: 'streaming' });
  expect((await at.pool.query("SELECT 1 FROM bac.dead_letters WHERE state = 'open'")).rowCount).toBe(0);
}, 90_000);

test('a slot made anew counts from the beginning: a new generation, and what was lost between is there', async () => {
  await using at = await world();
  await at.ddl(TABLES);
  await at.app.query(FILL);
  await at.capture();
  await at.add();
  await at.equal('orders');
  await at.app.query(
    'UPDATE orders SET total = 1 WHERE id <= 500; UPDATE orders SET total = 2 WHERE id <= 500',
  );
  await at.equal('orders');
  const before = at.standIn.slots.get('bac_shop')!.confirmed;
  expect(before).toBeGreaterThan(1000);
  at.standIn.loseSlot('bac_shop');
  await at.app.query('DELETE FROM orders WHERE id = 1; UPDATE orders SET total = 3 WHERE id = 2');
  await eventually(async () => ((await tableOf(at, 'orders'))?.generation === 2 ? true : undefined), 20_000);
  await at.equal('orders', 'lines');
  // Much smaller numbers than those the warehouse has seen, and yet they count.
  await at.app.query("UPDATE orders SET note = 'after' WHERE id = 2; DELETE FROM orders WHERE id = 3");
  await at.equal('orders', 'lines');
  expect(at.standIn.slots.get('bac_shop')!.confirmed).toBeLessThan(before);
  expect((await at.pool.query('SELECT epoch, slot FROM bac.sources')).rows).toEqual([
    { epoch: 2, slot: 'bac_shop' },
  ]);
}, 60_000);
