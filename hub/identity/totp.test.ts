import { describe, expect, test } from 'vitest';
import { fromBase32, matchingStep, newSecret, otpauthUri, stepAt, toBase32, totp } from './totp.ts';

const ascii = (length: number): Buffer => Buffer.from('1234567890'.repeat(7).slice(0, length));

describe('RFC 6238, appendix B', () => {
  const KEYS = { sha1: ascii(20), sha256: ascii(32), sha512: ascii(64) };
  test.each<[number, string, string, string]>([
    [59, '94287082', '46119246', '90693936'],
    [1111111109, '07081804', '68084774', '25091201'],
    [1111111111, '14050471', '67062674', '99943326'],
    [1234567890, '89005924', '91819424', '93441116'],
    [2000000000, '69279037', '90698825', '38618901'],
    [20000000000, '65353130', '77737706', '47863826'],
  ])('at %i s', (seconds, sha1, sha256, sha512) => {
    const at = (hash: keyof typeof KEYS): string =>
      totp(KEYS[hash], stepAt(seconds * 1000), { digits: 8, hash });
    expect([at('sha1'), at('sha256'), at('sha512')]).toEqual([sha1, sha256, sha512]);
  });
});

test('RFC 4226, appendix D: six digits by counter', () => {
  const codes = Array.from({ length: 10 }, (_, step) => totp(ascii(20), step));
  expect(codes).toEqual('755224 287082 359152 969429 338314 254676 287922 162583 399871 520489'.split(' '));
});

test.each([
  ['', ''],
  ['f', 'MY'],
  ['fo', 'MZXQ'],
  ['foo', 'MZXW6'],
  ['foob', 'MZXW6YQ'],
  ['fooba', 'MZXW6YTB'],
  ['foobar', 'MZXW6YTBOI'],
])('RFC 4648, base32 of "%s"', (text, coded) => {
  expect(toBase32(Buffer.from(text))).toBe(coded);
  expect(fromBase32(coded).toString()).toBe(text);
});

test('the neighbouring steps count, others do not, nor codes of another form', () => {
  const secret = newSecret();
  expect(secret).toMatch(/^[A-Z2-7]{32}$/);
  const now = 1_800_000_000_000;
  const found = [-2, -1, 0, 1, 2].map((off) =>
    matchingStep(secret, totp(fromBase32(secret), stepAt(now) + off), now),
  );
  expect(found.map((step) => step !== null)).toEqual([false, true, true, true, false]);
  for (const odd of ['', '1', '12345', '1234567', 'abcdef', '１２３４５６'])
    expect(matchingStep(secret, odd, now)).toBeNull();
});

test('the URI is what authenticator apps read', () => {
  expect(otpauthUri('ABC', 'ann+x@a.example', 'BAC Hub')).toBe(
    'otpauth://totp/BAC%20Hub:ann%2Bx%40a.example?secret=ABC&issuer=BAC%20Hub&algorithm=SHA1&digits=6&period=30',
  );
});
