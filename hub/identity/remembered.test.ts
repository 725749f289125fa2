import { expect, test } from 'vitest';
import { systemPrincipal } from '#kernel';
import { RememberedKeys } from './remembered.ts';

test('a key that was found good is looked up once a second, and after a change at once', async () => {
  let now = 0;
  let asked = 0;
  let isGood = true;
  const keys = new RememberedKeys(() => now);
  const find = async () => {
    asked += 1;
    return isGood ? systemPrincipal('x') : null;
  };
  await keys.key('a', find);
  await keys.key('a', find);
  expect(asked).toBe(1);
  isGood = false;
  now = 1001;
  expect(await keys.key('a', find)).toBeNull();
  isGood = true;
  await keys.key('a', find);
  isGood = false;
  expect(await keys.key('a', find)).not.toBeNull();
  keys.forget();
  expect(await keys.key('a', find)).toBeNull();
  expect(await keys.key('a', find)).toBeNull();
  expect(asked).toBe(5);
});
