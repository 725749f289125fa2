import { describe, expect, test } from 'vitest';
import { checkPassword, hashPassword, isOutdated, passwordMatches } from './passwords.ts';

test('only the password matches its hash; hashes differ, carry their parameters and not the password', async () => {
  const password = 'correct horse battery ståple';
  const [one, two] = [await hashPassword(password), await hashPassword(password)];
  expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[\w-]{22}\$[\w-]{43}$/);
  expect(one).not.toBe(two);
  expect(await passwordMatches(password, one)).toBe(true);
  // The same text, composed otherwise, as another keyboard types it.
  expect(await passwordMatches(password.normalize('NFD'), one)).toBe(true);
  expect(await passwordMatches(`${password} `, one)).toBe(false);
  expect(await passwordMatches('', one)).toBe(false);
});

test('hashes of other parameters still match, and are known as outdated', async () => {
  // scrypt(N=1024, r=8, p=1), the salt sixteen zero bytes.
  const { scryptSync } = await import('node:crypto');
  const key = scryptSync('old password here', Buffer.alloc(16), 32, { N: 1024, r: 8, p: 1 });
  const stored = `$scrypt$ln=10,r=8,p=1$${'A'.repeat(22)}$${key.toString('base64url')}`;
  expect(await passwordMatches('old password here', stored)).toBe(true);
  expect(await passwordMatches('other password', stored)).toBe(false);
  expect(isOutdated(stored)).toBe(true);
  expect(isOutdated(await hashPassword('some password'))).toBe(false);
});

test('without a password, or with a broken one, nothing matches, and it takes as long', async () => {
  const time = async (stored: string | null): Promise<number> => {
    const before = performance.now();
    expect(await passwordMatches('whatever it is', stored)).toBe(false);
    return performance.now() - before;
  };
  const stored = await hashPassword('correct horse battery');
  await time(stored);
  const times = { wrong: 0, none: 0 };
  for (let round = 0; round < 3; round += 1) {
    times.wrong += await time(stored);
    times.none += await time(null);
  }
  expect(times.none / times.wrong).toBeGreaterThan(0.5);
  expect(times.none / times.wrong).toBeLessThan(2);
  await time('$scrypt$nonsense');
});

test('a flood is refused, not queued without end', async () => {
  const answers = await Promise.allSettled(Array.from({ length: 60 }, () => hashPassword('x')));
  const refused = answers.filter(({ status }) => status === 'rejected');
  expect(refused.length).toBe(60 - 34);
  expect(refused[0]).toMatchObject({ reason: { code: 'BUSY' } });
  expect(await hashPassword('x')).toBeTruthy();
});

describe('weak passwords', () => {
  test.each(['', 'short', 'aaaaaaaaaaaaaaaaaaaa', 'abababababababab', 'ann.smith@x.example', 'ann.smith123'])(
    '%s',
    (password) =>
      expect(() => checkPassword(password, 'ann.smith@x.example')).toThrowError(/cannot be taken/),
  );
  test('a sentence is fine', () =>
    expect(() => checkPassword('ann.smith has three cats', 'ann.smith@x.example')).not.toThrow());
});
