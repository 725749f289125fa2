export type BinaryOperator =
  | 'or'
  | 'and'
  | '='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'contains'
  | '||'
  | '+'
  | '-'
  | '*'
  | '/';

/** One step of a path; `by` names the reference where an entity refers here by several: `task[project]`. */
export interface Step {
  readonly name: string;
  readonly by?: string;
}

/** An expression as written, names not yet looked up. `at` is the index of its first character. */
export type Expression = { readonly at: number } & (
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  | { readonly kind: 'path'; readonly steps: readonly Step[] }
  | { readonly kind: 'variable'; readonly name: string; readonly steps: readonly Step[] }
  | { readonly kind: 'unary'; readonly operator: '-' | 'not'; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'isNull'; readonly operand: Expression; readonly negated: boolean }
  | {
      readonly kind: 'in';
      readonly operand: Expression;
      readonly values: readonly Expression[];
      readonly negated: boolean;
    }
  | { readonly kind: 'call'; readonly function: string; readonly operands: readonly Expression[] }
);

/** What is wrong, with the character (from 1) where the text has one. */
export class ExpressionError extends Error {}

export const printSteps = (steps: readonly Step[]): string =>
  steps.map((step) => (step.by === undefined ? step.name : `${step.name}[${step.by}]`)).join('.');

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** The text of an expression, fully bracketed: read again it gives the same tree. */
export function printExpression(node: Expression): string {
  switch (node.kind) {
    case 'number':
      return node.text;
    case 'text':
      return quote(node.value);
    case 'boolean':
      return String(node.value);
    case 'null':
      return 'null';
    case 'path':
      return printSteps(node.steps);
    case 'variable':
      return `$${printSteps([{ name: node.name }, ...node.steps])}`;
    case 'unary':
      return `(${node.operator} ${printExpression(node.operand)})`;
    case 'binary':
      return `(${printExpression(node.left)} ${node.operator} ${printExpression(node.right)})`;
    case 'isNull':
      return `(${printExpression(node.operand)} is ${node.negated ? 'not ' : ''}null)`;
    case 'in':
      return `(${printExpression(node.operand)} ${node.negated ? 'not ' : ''}in (${node.values.map(printExpression).join(', ')}))`;
    case 'call':
      return `${node.function}(${node.operands.map(printExpression).join(', ')})`;
  }
}

/** An expression's parts, one level down. */
export function partsOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'unary':
    case 'isNull':
      return [node.operand];
    case 'binary':
      return [node.left, node.right];
    case 'in':
      return [node.operand, ...node.values];
    case 'call':
      return node.operands;
    default:
      return [];
  }
}
