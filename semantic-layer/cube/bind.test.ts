import { expect, test } from 'vitest';
import { bindValues } from './bind.ts';

test.each([
  [
    'values go where the planner left room',
    'a = ? AND b = ?',
    ["x'y\\", null],
    "a = 'x\\'y\\\\' AND b = NULL",
  ],
  [
    'a question mark in text, a name or a comment is none',
    "'?' `?` -- ?\n/* ? */ ?",
    ['v'],
    "'?' `?` -- ?\n/* ? */ 'v'",
  ],
  ['a value is never read again', '? ?', ["'?", '{p:String}'], "'\\'?' '{p:String}'"],
  [
    'whole numbers keep their digits',
    'n > toFloat64(?)',
    ['18446744073709551615'],
    'n > 18446744073709551615',
  ],
  ['decimals are decimals', 'n > toFloat64(?)', ['-0.10'], "n > toDecimal128('-0.10', 2)"],
  ['what is no number cannot become SQL', 'n > toFloat64(?)', ['1 OR 1=1'], "n > toFloat64('1 OR 1=1')"],
])('%s', (_, sql, values, bound) => expect(bindValues(sql, values)).toBe(bound));

test('a plan whose places and values do not match is refused', () => {
  expect(() => bindValues('?', ['a', 'b'])).toThrow('1 places for 2 values');
});
