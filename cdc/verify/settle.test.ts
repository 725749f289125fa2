import { expect, test } from 'vitest';
import { seeded } from '#tests/random';
import { settle } from './settle.ts';
import type { RowDigest } from './sides.ts';

const SUSPECT = { id: 'k', first: null };

/**
 * One row's history: a source whose commits are in the stream a step before they can be read, and a warehouse that
 * follows. Values come again, so that hashes alone tell nothing.
 */
function story(seed: number, writers: boolean) {
  const random = seeded(seed);
  const history: (string | null)[] = ['a'];
  let visible = 0;
  let applied = 0;
  let writing = true;
  const lengths = [0, 0];
  const step = (): void => {
    visible = history.length - 1;
    if (writing && random.chance(0.6)) history.push(random.pick(['a', 'b', null, null]));
    if (random.chance(0.5)) applied = Math.min(history.length - 1, applied + 1 + random.below(3));
  };
  /** The newest write of a value decides its version; the same value written again is another version. */
  const at = (index: number, versioned: boolean): Map<string, RowDigest> => {
    const hash = history[index]!;
    const row = { id: 'k', first: null, hash, version: versioned ? String(index) : null };
    return new Map(hash === null ? [] : [['k', row]]);
  };
  const pass = (): void => {
    for (let count = random.below(4); count > 0; count -= 1) step();
  };
  return {
    rest: () => {
      writing = false;
    },
    source: {
      rows: async () => {
        pass();
        // A commit is seen within the round that follows it.
        visible = Math.max(visible, lengths.shift()!);
        lengths.push(history.length - 1);
        return at(visible, writers);
      },
    },
    warehouse: {
      rows: async () => {
        pass();
        return at(applied, true);
      },
    },
    catchUp: async () => {
      applied = Math.max(applied, history.length - 1);
      pass();
      return true;
    },
  };
}

test('a row that the warehouse follows is never different, however it is written meanwhile', async () => {
  for (let seed = 1; seed <= 20_000; seed += 1) {
    const { source, warehouse, catchUp } = story(seed, true);
    const settled = await settle([SUSPECT], source, warehouse, catchUp);
    expect(settled.different, `SEED=${seed}`).toEqual([]);
  }
});

test('a row that rests is settled: equal where the warehouse has it, different where it has another', async () => {
  for (let seed = 1; seed <= 500; seed += 1) {
    const { source, warehouse, catchUp, rest } = story(seed, seed % 2 === 0);
    for (let count = 0; count < 5; count += 1) await source.rows();
    rest();
    await catchUp();
    await source.rows();
    expect(await settle([SUSPECT], source, warehouse, catchUp), `SEED=${seed}`).toEqual({
      different: [],
      changing: [],
      caughtUp: true,
    });
    const wrong = {
      rows: async () => new Map([['k', { id: 'k', first: null, hash: 'wrong', version: '7' }]]),
    };
    const settled = await settle([SUSPECT], source, wrong, catchUp);
    expect(settled.different, `SEED=${seed}`).toEqual([SUSPECT]);
  }
});

test('what may only be late is said to be so', async () => {
  const { source, catchUp } = story(1, true);
  const nothing = { rows: async () => new Map<string, RowDigest>() };
  expect(await settle([SUSPECT], source, nothing, async () => !(await catchUp()))).toEqual({
    different: [SUSPECT],
    changing: [],
    caughtUp: false,
  });
});
