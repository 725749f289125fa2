import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Assignable, assign } from './assign.ts';

const names = ['a', 'b', 'c', 'd', 'e'];
const member = fc.constantFrom(...names);

test('members that may have everything get equal shares, and nothing moves without need', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(member, { minLength: 1 }),
      fc.array(fc.option(member, { nil: null }), { minLength: 1, maxLength: 60 }),
      (candidates, before) => {
        const input = before.map((current): Assignable => ({ candidates, current }));
        const result = assign(input);
        const shares = candidates.map((one) => result.filter((owner) => owner === one).length);
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
        expect(assign(result.map((current) => ({ candidates, current })))).toEqual(result);
        const most = Math.ceil(before.length / candidates.length);
        const moved = before.filter(
          (owner, index) => owner !== null && candidates.includes(owner) && owner !== result[index],
        ).length;
        const surplus = candidates.reduce((sum, one) => {
          const had = before.filter((owner) => owner === one).length;
          return sum + Math.max(0, had - Math.floor(before.length / candidates.length));
        }, 0);
        expect(moved).toBeLessThanOrEqual(surplus);
        expect(most).toBeGreaterThanOrEqual(Math.max(...shares));
      },
    ),
  );
});

test('a partition goes to one of its candidates, or to nobody when it has none', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ candidates: fc.uniqueArray(member), current: fc.option(member, { nil: null }) })),
      (partitions) => {
        for (const [index, owner] of assign(partitions).entries()) {
          const { candidates } = partitions[index]!;
          if (candidates.length === 0) expect(owner).toBeNull();
          else expect(candidates).toContain(owner);
        }
      },
    ),
  );
});
