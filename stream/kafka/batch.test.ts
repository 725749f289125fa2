import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBatches, encodeBatch } from './batch.ts';
import { crc32c } from './crc32c.ts';

const producer = { id: 7n, epoch: 1 };

test('CRC-32C as the RFC 3720 has it', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
});

test('records come back as they went in, from any offset on', async () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array)));
  const records = fc.array(fc.record({ key: bytes, value: bytes }), { minLength: 1, maxLength: 300 });
  await fc.assert(
    fc.asyncProperty(records, fc.nat(310), async (list, from) => {
      const { records: read, next } = await decodeBatches(await encodeBatch(list, producer, 0), from, 't/0');
      expect(read.map(({ key, value }) => ({ key, value }))).toEqual(list.slice(from));
      expect(read.map(({ offset }) => offset)).toEqual(list.map((_, index) => index).slice(from));
      expect(next).toBe(Math.max(from, list.length));
    }),
    { numRuns: 60 },
  );
});

test('damage is noticed; a batch cut off at the end waits for the next fetch', async () => {
  const batch = await encodeBatch([{ key: null, value: randomBytes(3000) }], producer, 0);
  const damaged = Buffer.from(batch);
  damaged[500]! ^= 1;
  await expect(decodeBatches(damaged, 0, 't/0')).rejects.toMatchObject({ code: 'LOG_CORRUPT' });
  expect(await decodeBatches(batch.subarray(0, -1), 0, 't/0')).toEqual({ records: [], next: 0 });
});
