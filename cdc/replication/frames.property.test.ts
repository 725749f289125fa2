import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Frames } from './index.ts';

const message = fc.record({
  tag: fc.integer({ min: 1, max: 255 }),
  body: fc.uint8Array({ maxLength: 300 }),
});

function wire({ tag, body }: { tag: number; body: Uint8Array }): Buffer {
  const header = Buffer.alloc(5);
  header[0] = tag;
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

test('messages come out whole however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
      (messages, sizes) => {
        const all = Buffer.concat(messages.map(wire));
        const frames = new Frames();
        const found: { tag: number; body: Uint8Array }[] = [];
        for (let at = 0, turn = 0; at < all.length; turn += 1) {
          const size = sizes[turn % sizes.length]!;
          // A copy: nothing may look at bytes outside of its chunk.
          frames.push(Buffer.from(all.subarray(at, at + size)));
          at += size;
          while (frames.next()) {
            found.push({
              tag: frames.tag,
              body: Uint8Array.from(frames.buffer.subarray(frames.start, frames.end)),
            });
          }
        }
        expect(found).toEqual(messages.map(({ tag, body }) => ({ tag, body: Uint8Array.from(body) })));
      },
    ),
    { numRuns: 500 },
  );
});

test('a length that cannot be is refused', () => {
  for (const length of [-1, 0, 3, 2_000_000_000]) {
    const header = Buffer.alloc(9);
    header.writeInt32BE(length, 1);
    const frames = new Frames();
    frames.push(header);
    expect(() => frames.next()).toThrow('message of');
  }
});
