import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentMap } from './recent-map.ts';

test('holds what a map holds; what is oldest was used at most a quarter of the entries later than any other', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.tuple(fc.constantFrom('put', 'use', 'use', 'drop'), fc.nat(60)), { maxLength: 400 }),
      (most, steps) => {
        const map = new RecentMap<number, string>();
        /** By key: values put in before its last use. */
        const used = new Map<number, number>();
        let put = 0;
        for (const [what, key] of steps) {
          if (what === 'use') {
            expect(map.get(key)).toBe(used.has(key) ? `${key}` : undefined);
            if (used.has(key)) used.set(key, put);
          } else if (what === 'drop') expect(map.delete(key)).toBe(used.delete(key));
          else {
            put += 1;
            map.set(key, `${key}`);
            used.set(key, put);
          }
          if (map.size > most) {
            const [oldest] = map.oldest()!;
            const others = [...used].filter(([other]) => other !== oldest).map(([, at]) => at);
            expect(used.get(oldest)! - Math.min(...others)).toBeLessThanOrEqual(Math.ceil((most + 1) / 4));
            map.delete(oldest);
            used.delete(oldest);
          }
          expect(map.size).toBe(used.size);
        }
        expect([...map.entries()].sort(([a], [b]) => a - b)).toEqual(
          [...used.keys()].sort((a, b) => a - b).map((key) => [key, `${key}`]),
        );
        map.clear();
        expect([map.size, map.oldest()]).toEqual([0, undefined]);
      },
    ),
  );
});
