import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { modelOf } from '../compile/relation.ts';
import { Catalogues } from './catalogue.ts';
import { executeMessages, parseMessage, readAnswer, sync } from './protocol.ts';
import { Seed } from './seed.ts';

// A PostgreSQL cluster is made twice; no timing is asserted.
vi.setConfig({ testTimeout: 120_000 });

const folder = mkdtempSync(join(tmpdir(), 'bac-test-seed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = modelOf({
  version: '1',
  cubes: [
    {
      name: 'orders',
      type: 'cube',
      title: 'Orders',
      measures: [],
      dimensions: [{ name: 'orders.id', title: 'Id', shortTitle: 'Id', type: 'number' }],
      segments: [],
      joins: [],
    },
  ],
});

async function tablesOf(catalogues: Catalogues): Promise<string[]> {
  const sql = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
  const catalogue = await catalogues.of(model);
  const messages = [parseMessage(sql, []), ...executeMessages([], [], []), sync()];
  const answer = await catalogue.exchange(messages, new AbortController().signal, 60_000);
  return readAnswer(answer).rows.map(([name]) => name!.toString());
}

/** A process of its own, as far as catalogues know. */
async function once(work: (catalogues: Catalogues) => Promise<void>): Promise<void> {
  const catalogues = new Catalogues(2, new Seed(folder, silentLogger()));
  try {
    await work(catalogues);
  } finally {
    await catalogues.close();
  }
}

const kept = (): { name: string; inode: number }[] =>
  readdirSync(folder).map((name) => ({ name, inode: statSync(join(folder, name)).ino }));

test('the empty cluster is made once, is kept for the next process, and replaced if it is no good', async () => {
  await once(async (catalogues) => {
    expect(await tablesOf(catalogues)).toEqual(['orders']);
    await eventually(
      async () => (kept().some(({ name }) => name.endsWith('.gz')) ? true : undefined),
      30_000,
    );
  });
  const [made] = kept();
  await once(async (catalogues) => {
    expect(await tablesOf(catalogues)).toEqual(['orders']);
  });
  expect(kept()).toEqual([made]);
  writeFileSync(join(folder, made!.name), 'torn');
  await once(async (catalogues) => {
    expect(await tablesOf(catalogues)).toEqual(['orders']);
    await eventually(async () => {
      const [now, ...more] = kept();
      return more.length === 0 && now!.inode !== made!.inode ? true : undefined;
    }, 30_000);
  });
});
