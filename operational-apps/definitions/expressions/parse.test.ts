import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseExpression } from './parse.ts';
import { type BinaryOperator, type Expression, printExpression, type Step } from './tree.ts';

test.for([
  ['a + b * c', '(a + (b * c))'],
  ['(a + b) * c', '((a + b) * c)'],
  ['a - b - c', '((a - b) - c)'],
  ['-a / 2', '((- a) / 2)'],
  ['not a = 1 or b and c', '((not (a = 1)) or (b and c))'],
  ["a || 'it''s' = b || c", "((a || 'it''s') = (b || c))"],
  ['a not in (1, 2) and b is not null', '((a not in (1, 2)) and (b is not null))'],
  ["tags contains 'x'", "(tags contains 'x')"],
  ['sum(lines.net, lines.kind <> 1)', 'sum(lines.net, (lines.kind != 1))'],
  ['$old.owner.email = $user', '($old.owner.email = $user)'],
  ['count(crm.activity[account])', 'count(crm.activity[account])'],
])('%s', ([text, printed]) => {
  expect(printExpression(parseExpression(text!))).toBe(printed);
});

test.for([
  ['', 'expected a value, a field or `(` at the end'],
  ['a +', 'expected a value, a field or `(` at the end'],
  ['a b', 'expected an operator instead of `b` at character 3'],
  ['(a', 'expected `)` at the end'],
  ['a; drop table b', 'cannot read `; drop tab` at character 2'],
  ["name = 'x", 'the text that begins at character 8 has no end'],
  ['a is b', 'expected `null` instead of `b` at character 6'],
  ['a not b', 'expected `in` instead of `b` at character 7'],
  ['a in 1', 'expected `(` instead of `1` at character 6'],
  ['a. = 1', 'expected a name instead of `=` at character 4'],
  ['a = 1 = 2', 'expected an operator instead of `=` at character 7'],
  [`${'('.repeat(60)}a${')'.repeat(60)}`, 'is nested too deeply'],
  [`${'- '.repeat(60)}a`, 'is nested too deeply'],
  ['a'.repeat(2001), 'is longer than 2000 characters'],
])('%s is refused', ([text, message]) => {
  expect(() => parseExpression(text!)).toThrow(message!);
});

const name = fc.constantFrom('a', 'b', 'lines', 'sum');
const step: fc.Arbitrary<Step> = fc.oneof(
  name.map((one) => ({ name: one })),
  fc.tuple(name, name).map(([one, by]) => ({ name: one, by })),
);
const steps = fc.array(step, { minLength: 1, maxLength: 3 });
const at = 0;
const expression = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.nat(1000).map((value): Expression => ({ kind: 'number', at, text: String(value) })),
    fc.constantFrom('0.5', '12.25').map((text): Expression => ({ kind: 'number', at, text })),
    fc.string({ maxLength: 5 }).map((value): Expression => ({ kind: 'text', at, value })),
    fc.boolean().map((value): Expression => ({ kind: 'boolean', at, value })),
    fc.constant<Expression>({ kind: 'null', at }),
    steps.map((path): Expression => ({ kind: 'path', at, steps: path })),
    fc
      .tuple(name, steps)
      .map(([one, path]): Expression => ({ kind: 'variable', at, name: one, steps: path })),
    fc
      .tuple(
        fc.constantFrom<BinaryOperator>(
          'or',
          'and',
          '=',
          '!=',
          '<',
          '>=',
          'contains',
          '||',
          '+',
          '-',
          '*',
          '/',
        ),
        tie('node'),
        tie('node'),
      )
      .map(([operator, left, right]): Expression => ({ kind: 'binary', at, operator, left, right })),
    fc
      .tuple(fc.constantFrom('-' as const, 'not' as const), tie('node'))
      .map(([operator, operand]): Expression => ({ kind: 'unary', at, operator, operand })),
    fc
      .tuple(tie('node'), fc.boolean())
      .map(([operand, negated]): Expression => ({ kind: 'isNull', at, operand, negated })),
    fc
      .tuple(tie('node'), fc.array(tie('node'), { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([operand, values, negated]): Expression => ({ kind: 'in', at, operand, values, negated })),
    fc
      .tuple(name, fc.array(tie('node'), { maxLength: 3 }))
      .map(([one, operands]): Expression => ({ kind: 'call', at, function: one, operands })),
  ),
})).node;

const withoutPlaces = (node: unknown): unknown =>
  JSON.parse(JSON.stringify(node, (key, value: unknown) => (key === 'at' ? undefined : value)));

test('what is printed is read back as the same tree', () => {
  fc.assert(
    fc.property(expression, (node) => {
      expect(withoutPlaces(parseExpression(printExpression(node)))).toEqual(withoutPlaces(node));
    }),
    { verbose: 1 },
  );
});

test('any text is either read or refused with a sentence', () => {
  const words = fc.constantFrom(
    'a',
    ' ',
    '(',
    ')',
    "'",
    '$',
    '.',
    'in',
    ' is ',
    'not',
    ',',
    '1',
    '||',
    '[',
    ']',
    '💥',
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
      try {
        parseExpression(parts.join(''));
      } catch (error) {
        expect((error as Error).constructor.name).toBe('ExpressionError');
      }
    }),
  );
});
