import fc from 'fast-check';
import { serialize } from 'pg-protocol';
import { expect, test } from 'vitest';
import { Outbox } from './outbox.ts';

const text = fc.string({ unit: 'binary', maxLength: 200 });
const value = fc.oneof(
  { weight: 4, arbitrary: fc.option(text, { nil: null }) },
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);
const statement = fc.record({
  name: fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
  values: fc.array(value, { maxLength: 8 }),
});

test('writes the very bytes that pg writes, batch after batch', () => {
  const outbox = new Outbox();
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 5 }), fc.boolean(), (statements, breaksOff) => {
      const expected: Buffer[] = [];
      outbox.begin();
      if (breaksOff) {
        outbox.bindAndExecute('left by a batch that failed', ['x']);
        outbox.begin();
      }
      for (const { name, values } of statements) {
        const parse = serialize.parse({ name, text: 'SELECT 1', types: [] });
        expected.push(parse, serialize.bind({ statement: name, values }), serialize.execute());
        outbox.add(parse);
        outbox.bindAndExecute(name, values);
      }
      expected.push(serialize.sync());
      outbox.sync();
      expect(outbox.take().equals(Buffer.concat(expected))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('a large value passes, and what was taken is not written over', () => {
  const outbox = new Outbox();
  const batch = (value: string): Buffer => {
    outbox.begin();
    outbox.bindAndExecute('s', [value]);
    return outbox.take();
  };
  const first = batch('é'.repeat(200_000));
  const copy = Buffer.from(first);
  batch('z'.repeat(300_000));
  expect(first.equals(copy)).toBe(true);
  expect(
    first.equals(
      Buffer.concat([serialize.bind({ statement: 's', values: ['é'.repeat(200_000)] }), serialize.execute()]),
    ),
  ).toBe(true);
});
