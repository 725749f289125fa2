import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { world } from './testing/world.ts';

test('first', async () => {
  await using at = await world({ nodes: 2 });
  const { app, standIn } = at;
  await at.ddl('CREATE TABLE t (id int PRIMARY KEY, a text, b int)');
  await app.query("INSERT INTO t SELECT i, 'row ' || i, i FROM generate_series(1, 3000) i");
  await at.capture();
  await at.add();
  await at.equal('t');
  await app.query(
    "UPDATE t SET b = b + 1 WHERE id < 50; DELETE FROM t WHERE id > 2990; INSERT INTO t VALUES (9000, 'x', NULL); UPDATE t SET id = 9001 WHERE id = 60",
  );
  await at.equal('t');
  await eventually(async () => (standIn.slots.get('bac_shop')!.confirmed > 10 ? true : undefined), 5000);
  expect(standIn.statements.length).toBeGreaterThan(10);
});
