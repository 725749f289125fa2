import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hubName, wireName } from './names.ts';

test('ordinary names stay as they are; any name becomes one that Kafka takes, and comes back', () => {
  expect(wireName('shop.public.order_items-2')).toBe('shop.public.order_items-2');
  expect(wireName('shop.public.Grüße an')).toBe('shop.public.Gr-xc3-xbc-xc3-x9fe-x20an');
  const names = fc.oneof(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^[-xa-f0-9.]{0,12}$/));
  fc.assert(
    fc.property(names, (name) => {
      expect(wireName(name)).toMatch(/^[a-zA-Z0-9._-]*$/);
      expect(hubName(wireName(name))).toBe(name);
    }),
  );
});
