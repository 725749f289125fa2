import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SemanticQuery } from '#kernel';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import type { Right } from './index.ts';
import { openWorld, person, SETUP, type World } from './testing/world.ts';

/** A process that has lost its right while its commit was under way: the commit arrives when another one has taken over. */

let engine: TestClickHouse;
let tokens = 0;
const query: SemanticQuery = { measures: ['sales.count', 'sales.revenue'], dimensions: ['sales.status'] };

beforeAll(async () => {
  engine = await testClickHouse();
  for (const sql of SETUP) await engine.warehouse.command(sql);
  await engine.warehouse.command("INSERT INTO shop.customers SELECT number, 'r', 1, 0 FROM numbers(3)");
});
afterAll(() => engine?.[Symbol.asyncDispose]());

const row = (id: number, day: number, amount: number, version: number): Promise<void> =>
  engine.warehouse.command(
    `INSERT INTO shop.orders SELECT ${id}, 'a', generateUUIDv4(), 'new', NULL, 1, ${amount}, 1, 1, '2026-03-0${day} 10:00:00', ${version}, 0`,
  );

/** A right whose commits wait, from the moment it is told to hold them, until they are let go. */
function delayed(token: number): { right: Right; hold(): void; held: Promise<void>; letGo(): void } {
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  let holding = false;
  const right: Right = {
    token,
    signal: new AbortController().signal,
    async fenced(step) {
      if (holding) {
        reached.resolve();
        await gate.promise;
      }
      await step();
    },
  };
  return {
    right,
    hold: () => {
      holding = true;
    },
    held: reached.promise,
    letGo: gate.resolve,
  };
}

async function agree(about: string, ...worlds: World[]): Promise<void> {
  for (const [index, world] of worlds.entries()) {
    world.clock.tick();
    const rolled = await world.layer.load(person('everything'), query);
    if (about.endsWith('after')) expect([about, rolled.rollups]).toEqual([about, ['sales.by_day']]);
    const raw = await world.layer.load(person('everything'), query, { rollups: false });
    expect([about, index, rolled.rows]).toEqual([about, index, raw.rows]);
    expect((await world.rollups.check()).differences).toEqual([]);
  }
}

test.each([
  ['a refresh', true, true],
  ['a refresh, and the next one has not committed yet', true, false],
  ['a build', false, true],
  ['a build, and nobody has built yet', false, false],
])(
  '%s that commits after another process has taken over changes no answer',
  async (about, built, overtaken) => {
    tokens += 10;
    const token = tokens;
    const late = delayed(token);
    const one = openWorld(engine.warehouse, () => Promise.resolve(late.right));
    const two = openWorld(engine.warehouse, () =>
      Promise.resolve({ token: token + 1, signal: new AbortController().signal, fenced: (step) => step() }),
    );
    try {
      await engine.warehouse.command('DROP DATABASE IF EXISTS bac_rollups SYNC');
      await row(1, 1, 1, token * 100);
      await row(2, 2, 2, token * 100);
      if (built) await one.rollups.work();
      await row(1, 3, 5, token * 100 + 1);
      late.hold();
      one.clock.tick();
      const work = one.rollups.work();
      await late.held;
      await row(2, 4, 7, token * 100 + 2);
      if (overtaken) {
        await two.rollups.work();
        await agree(`${about}: taken over`, two);
      }
      await row(3, 1, 9, token * 100 + 3);
      late.letGo();
      await work;
      await agree(`${about}: late`, one, two);
      await two.rollups.work();
      await agree(`${about}: after`, one, two);
      const [{ runs }] = (await engine.warehouse.query<{ runs: string }>(
        `SELECT count() AS runs FROM bac_rollups.builds WHERE rollup = 'sales.by_day' AND run < ${BigInt(token + 1) * 2n ** 24n}`,
      )) as [{ runs: string }];
      if (!built) expect(Number(runs)).toBe(overtaken ? 0 : 1);
    } finally {
      late.letGo();
      await one.close();
      await two.close();
    }
  },
);
