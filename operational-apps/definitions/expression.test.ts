import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Expression, expressionSql, fieldsOf, parseExpression } from './expression.ts';

test.for([
  ['a + b * c', '("a" + ("b" * "c"))'],
  ['(a + b) * c', '(("a" + "b") * "c")'],
  ['a - b - c', '(("a" - "b") - "c")'],
  ['-a / 2', '((- "a")::numeric / nullif(2, 0))'],
  ['round(a * 1.5, 2)', 'round(("a" * 1.5)::numeric, 2::integer)'],
  ['coalesce(a, 0)', 'coalesce("a", 0)'],
])('%s', ([text, sql]) => {
  expect(expressionSql(parseExpression(text!))).toBe(sql);
});

test.for([
  ['', 'expected a number, a field or `(` at the end'],
  ['a +', 'expected a number, a field or `(` at the end'],
  ['a b', 'expected an operator instead of `b` at character 3'],
  ['(a', 'expected `)` at the end'],
  ['a; drop table b', 'cannot read `; drop tab` at character 2'],
  ['pg_sleep(1)', 'unknown function `pg_sleep`; known: round, abs, coalesce, least, greatest, nullif'],
  ['abs(a, b)', '`abs` takes 1 values'],
  [`${'('.repeat(60)}a${')'.repeat(60)}`, 'is nested too deeply'],
])('%s is refused', ([text, message]) => {
  expect(() => parseExpression(text!)).toThrow(message!);
});

const expression: fc.Arbitrary<Expression> = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, depthSize: 'small' },
    fc.nat(1000).map((value): Expression => ({ kind: 'number', text: String(value) })),
    fc.constantFrom('a', 'b', 'c').map((name): Expression => ({ kind: 'field', name })),
    fc
      .tuple(fc.constantFrom('+', '-', '*', '/'), tie('node'), tie('node'))
      .map(
        ([operator, left, right]): Expression => ({ kind: 'binary', operator: operator as '+', left, right }),
      ),
    tie('node').map((operand): Expression => ({ kind: 'negate', operand })),
    fc
      .tuple(tie('node'), tie('node'))
      .map((operands): Expression => ({ kind: 'call', function: 'least', operands })),
  ),
})).node;

const print = (node: Expression): string => {
  switch (node.kind) {
    case 'number':
      return node.text;
    case 'field':
      return node.name;
    case 'negate':
      return `(-${print(node.operand)})`;
    case 'binary':
      return `(${print(node.left)} ${node.operator} ${print(node.right)})`;
    case 'call':
      return `${node.function}(${node.operands.map(print).join(',')})`;
  }
};

test('what is printed in full brackets is read back the same', () => {
  fc.assert(
    fc.property(expression, (node) => {
      expect(parseExpression(print(node))).toEqual(node);
      expect(fieldsOf(node).every((name) => 'abc'.includes(name))).toBe(true);
    }),
    { verbose: 1 },
  );
});
