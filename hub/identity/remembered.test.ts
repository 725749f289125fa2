import { expect, test } from 'vitest';
import { type Principal, systemPrincipal } from '#kernel';
import { RememberedKeys } from './remembered.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A key whose looks the test answers. */
function watched(now: () => number) {
  const looks: PromiseWithResolvers<Principal | null>[] = [];
  const keys = new RememberedKeys(now);
  const ask = () =>
    keys.key('a', () => {
      const look = Promise.withResolvers<Principal | null>();
      looks.push(look);
      return look.promise;
    });
  return { keys, looks, ask };
}

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

test('a key in use is looked up beside, once for all who ask; a refusal counts at once, a failure when its time is over', async () => {
  let now = 0;
  const { looks, ask } = watched(() => now);
  const first = [ask(), ask()];
  expect(looks).toHaveLength(1);
  looks[0]!.resolve(systemPrincipal('x'));
  expect(await first[0]).toBe(await first[1]);
  now = 499;
  await ask();
  expect(looks).toHaveLength(1);
  now = 501;
  expect((await ask())?.principal.user).toBe((await ask())?.principal.user);
  expect(looks).toHaveLength(2);
  looks[1]!.reject(new Error('the database is away'));
  await settled();
  now = 600;
  expect(await ask()).not.toBeNull();
  expect(looks).toHaveLength(3);
  now = 1001;
  const late = ask();
  expect(looks).toHaveLength(3);
  looks[2]!.reject(new Error('the database is away'));
  await expect(late).rejects.toThrow('away');
  const again = ask();
  looks[3]!.resolve(systemPrincipal('x'));
  await again;
  now = 1600;
  await ask();
  looks[4]!.resolve(null);
  await settled();
  const refused = ask();
  looks[5]!.resolve(null);
  expect(await refused).toBeNull();
});

test('what is forgotten during a look is looked up anew, and the look before counts for nobody who asks later', async () => {
  let now = 0;
  const { keys, looks, ask } = watched(() => now);
  const before = ask();
  keys.forget();
  const after = ask();
  expect(looks).toHaveLength(2);
  looks[0]!.resolve(systemPrincipal('x'));
  await before;
  looks[1]!.resolve(null);
  expect(await after).toBeNull();
  const later = ask();
  expect(looks).toHaveLength(3);
  // One that takes longer than a key counts is joined by nobody who asks so late.
  now = 1000;
  const latest = ask();
  expect(looks).toHaveLength(4);
  looks[2]!.resolve(systemPrincipal('x'));
  expect(await later).not.toBeNull();
  looks[3]!.resolve(null);
  expect(await latest).toBeNull();
});
