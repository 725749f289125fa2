import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, readHeader, seal, toChunks, unseal } from './codec.ts';

const bytes = fc.option(
  fc.uint8Array({ maxLength: 3000 }).map((array) => Buffer.from(array)),
  { nil: null },
);
const records = fc.array(fc.record({ key: bytes, value: bytes }), { minLength: 1, maxLength: 60 });

test('a sealed batch holds what was put in, with offsets from its base', () => {
  fc.assert(
    fc.property(records, fc.nat(), (input, base) => {
      const stored = toChunks(input).map((chunk) => ({ chunk, stored: seal(chunk, 1234.5) }));
      let offset = base;
      const output = stored.flatMap(({ chunk, stored: one }) => {
        expect(readHeader(one)).toEqual({ count: chunk.count, appendedAt: 1234.5 });
        const opened = unseal(one, offset);
        offset += chunk.count;
        return opened;
      });
      expect(output).toEqual(input.map((record, index) => ({ ...record, offset: base + index })));
    }),
  );
});

test('any changed bit of a stored batch is noticed', () => {
  fc.assert(
    fc.property(records, fc.nat(), fc.integer({ min: 1, max: 255 }), (input, at, mask) => {
      const stored = seal(toChunks(input)[0]!, 1);
      const position = at % stored.length;
      // The two spare bytes of the header carry nothing.
      fc.pre(position < 1 || position > 3);
      stored[position] = stored[position]! ^ mask;
      expect(() => unseal(stored, 0)).toThrow();
    }),
  );
});

test('large appends are split, a record over the chunk size stays whole', () => {
  const value = Buffer.alloc(CHUNK_BYTES / 4 + 1, 1);
  const input = [1, 2, 3, 4, 5].map(() => ({ key: null, value }));
  expect(toChunks(input).map(({ count }) => count)).toEqual([3, 2]);
  const large = { key: null, value: Buffer.alloc(CHUNK_BYTES * 2) };
  expect(toChunks([large, input[0]!]).map(({ count }) => count)).toEqual([1, 1]);
});
