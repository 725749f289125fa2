import { expect, test } from 'vitest';
import { finestFor, fitsZone } from './zones.ts';

test.each([
  ['Etc/GMT+5', 'hour', ['second', 'minute', 'hour']],
  ['Europe/Vienna', 'hour', ['second', 'minute', 'hour']],
  ['America/New_York', 'hour', ['second', 'minute', 'hour']],
  ['Asia/Kolkata', 'minute', ['second', 'minute']],
  ['Asia/Kathmandu', 'minute', ['second', 'minute']],
  // Offsets are whole hours, but for some years the clock was changed at a minute past midnight.
  ['America/Goose_Bay', 'minute', ['second', 'minute']],
  // -0:44:30 until 1972.
  ['Africa/Monrovia', null, ['second']],
])('%s: %s', (zone, finest, fits) => {
  expect(finestFor(zone)).toBe(finest);
  const granularities = ['second', 'minute', 'hour', 'day', 'month'];
  expect(granularities.filter((one) => fitsZone(one, zone))).toEqual(fits);
  expect(granularities.filter((one) => fitsZone(one, 'UTC'))).toEqual(granularities);
});
