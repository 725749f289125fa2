import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Rates } from './rates.ts';

describe('Rates', () => {
  test('unknown at the first sight, then per second', () => {
    const rates = new Rates();
    expect(rates.observe('a', 100, 0)).toBeNull();
    expect(rates.observe('a', 150, 500)).toBe(100);
  });

  test('a counter that falls starts again instead of going negative', () => {
    const rates = new Rates();
    rates.observe('a', 1000, 0);
    expect(rates.observe('a', 10, 1000)).toBeNull();
    expect(rates.observe('a', 20, 2000)).toBe(10);
  });

  test('what stops is zero once the window is over', () => {
    const rates = new Rates(5000);
    for (let second = 0; second <= 3; second += 1) rates.observe('a', second * 100, second * 1000);
    let last: number | null = null;
    for (let second = 4; second <= 9; second += 1) last = rates.observe('a', 300, second * 1000);
    expect(last).toBe(0);
  });

  test('never negative, never above the steepest step', () => {
    const steps = fc.array(fc.record({ ms: fc.integer({ min: 1, max: 9000 }), more: fc.nat(1_000_000) }), {
      minLength: 1,
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, (list) => {
        const rates = new Rates();
        let [at, count, steepest] = [0, 0, 0];
        rates.observe('a', count, at);
        for (const { ms, more } of list) {
          at += ms;
          count += more;
          steepest = Math.max(steepest, (more * 1000) / ms);
          const rate = rates.observe('a', count, at)!;
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(steepest * (1 + 1e-9));
        }
      }),
    );
  });
});
