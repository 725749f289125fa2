import { expect, test } from 'vitest';
import { createSeal } from './seal.ts';

test('what was closed is opened for the same account only, under the secret or an older one', () => {
  const old = createSeal(['first']);
  const stored = old.close('JBSWY3DP', 'ann');
  expect(stored).toMatch(/^sealed1:[0-9a-f]{8}:/);
  expect(stored).not.toContain('JBSWY3DP');
  expect(old.close('JBSWY3DP', 'ann')).not.toBe(stored);
  expect(old.open(stored, 'ann')).toBe('JBSWY3DP');
  expect(() => old.open(stored, 'bob')).toThrow(expect.objectContaining({ code: 'SEAL_UNKNOWN' }));
  const renewed = createSeal(['second', 'first']);
  expect(renewed.open(stored, 'ann')).toBe('JBSWY3DP');
  expect(renewed.isOutdated(stored)).toBe(true);
  expect(renewed.isOutdated(renewed.close('JBSWY3DP', 'ann'))).toBe(false);
  expect(() => createSeal(['second']).open(stored, 'ann')).toThrow(
    expect.objectContaining({ code: 'SEAL_UNKNOWN' }),
  );
  const at = stored.length - 3;
  const forged = `${stored.slice(0, at)}${stored[at] === 'A' ? 'B' : 'A'}${stored.slice(at + 1)}`;
  expect(() => old.open(forged, 'ann')).toThrow(expect.objectContaining({ code: 'SEAL_UNKNOWN' }));
});

test('what was stored in clear is read, and is outdated; without a secret everything stays in clear', () => {
  const seal = createSeal(['first']);
  expect([seal.open('JBSWY3DP', 'ann'), seal.isOutdated('JBSWY3DP')]).toEqual(['JBSWY3DP', true]);
  const none = createSeal([]);
  expect([none.close('JBSWY3DP', 'ann'), none.isOutdated('JBSWY3DP')]).toEqual(['JBSWY3DP', false]);
});
