import { expect, test } from 'vitest';
import { Limiter, visitorOf } from './limits.ts';

test('a burst, then so many a second, and the wait is told', () => {
  let now = 0;
  const limiter = new Limiter(() => now);
  const bucket = { perSecond: 2, burst: 3 };
  const take = (name = 'a'): number => limiter.take(name, bucket);
  expect([take(), take(), take()]).toEqual([0, 0, 0]);
  expect(take()).toBe(0.5);
  expect(take('b')).toBe(0);
  now += 499;
  expect(take()).toBeGreaterThan(0);
  now += 1;
  expect(take()).toBe(0);
  expect(take()).toBe(0.5);
  now += 3_600_000;
  expect([take(), take(), take()]).toEqual([0, 0, 0]);
  expect(take()).toBe(0.5);
});

test('memory is bounded, and whoever comes often is not forgotten', () => {
  const limiter = new Limiter(() => 0);
  const bucket = { perSecond: 1, burst: 30 };
  let refused = 0;
  for (let n = 0; n < 100_000; n += 1) {
    limiter.take(`visitor ${n}`, bucket);
    if (n % 1000 === 0 && limiter.take('often', bucket) > 0) refused += 1;
  }
  expect(limiter.size).toBe(20_000);
  expect(refused).toBe(70);
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s is visitor %s', (address, visitor) => expect(visitorOf(address)).toBe(visitor));
