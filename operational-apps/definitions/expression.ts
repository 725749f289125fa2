import { pgIdent } from '#kernel';

/** Arithmetic over the number fields of one row, parsed from a `computed:` text. */
export type Expression =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'negate'; readonly operand: Expression }
  | {
      readonly kind: 'binary';
      readonly operator: '+' | '-' | '*' | '/';
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'call'; readonly function: FunctionName; readonly operands: readonly Expression[] };

/** Function: least and most operands. All of them are immutable in PostgreSQL and YSQL. */
const FUNCTIONS = {
  round: [1, 2],
  abs: [1, 1],
  coalesce: [2, 8],
  least: [2, 8],
  greatest: [2, 8],
  nullif: [2, 2],
} as const;

type FunctionName = keyof typeof FUNCTIONS;
const FUNCTION_NAMES = Object.keys(FUNCTIONS) as FunctionName[];

export class ExpressionError extends Error {}

const TOKEN = /\s*(?:(\d+(?:\.\d+)?)|([a-z][a-z0-9_]*)|([-+*/(),]))/y;
const MAX_DEPTH = 50;

/** Throws ExpressionError saying what is wrong and at which character. */
export function parseExpression(text: string): Expression {
  const tokens = tokenise(text);
  let at = 0;
  let depth = 0;
  const peek = (): string => tokens[at]?.text ?? '';
  const fail = (wanted: string): never => {
    const token = tokens[at];
    throw new ExpressionError(
      token
        ? `expected ${wanted} instead of \`${token.text}\` at character ${token.index + 1}`
        : `expected ${wanted} at the end`,
    );
  };
  const take = (wanted: string): void => {
    if (peek() !== wanted) fail(`\`${wanted}\``);
    at += 1;
  };
  const sum = (): Expression => {
    let left = product();
    while (peek() === '+' || peek() === '-') {
      const operator = tokens[at++]!.text as '+' | '-';
      left = { kind: 'binary', operator, left, right: product() };
    }
    return left;
  };
  const product = (): Expression => {
    let left = unary();
    while (peek() === '*' || peek() === '/') {
      const operator = tokens[at++]!.text as '*' | '/';
      left = { kind: 'binary', operator, left, right: unary() };
    }
    return left;
  };
  const unary = (): Expression => {
    depth += 1;
    if (depth > MAX_DEPTH) throw new ExpressionError('is nested too deeply');
    try {
      if (peek() === '-') {
        at += 1;
        return { kind: 'negate', operand: unary() };
      }
      return primary();
    } finally {
      depth -= 1;
    }
  };
  const primary = (): Expression => {
    const token = tokens[at];
    if (!token) return fail('a number, a field or `(`');
    if (token.kind === 'number') {
      at += 1;
      return { kind: 'number', text: token.text };
    }
    if (token.kind === 'name') {
      at += 1;
      return peek() === '(' ? call(token.text) : { kind: 'field', name: token.text };
    }
    if (token.text !== '(') return fail('a number, a field or `(`');
    at += 1;
    const inner = sum();
    take(')');
    return inner;
  };
  const call = (name: string): Expression => {
    if (!(name in FUNCTIONS))
      throw new ExpressionError(`unknown function \`${name}\`; known: ${FUNCTION_NAMES.join(', ')}`);
    take('(');
    const operands = [sum()];
    while (peek() === ',') {
      at += 1;
      operands.push(sum());
    }
    take(')');
    const [least, most] = FUNCTIONS[name as FunctionName];
    if (operands.length < least || operands.length > most)
      throw new ExpressionError(`\`${name}\` takes ${least === most ? least : `${least} to ${most}`} values`);
    return { kind: 'call', function: name as FunctionName, operands };
  };
  const expression = sum();
  if (at < tokens.length) fail('an operator');
  return expression;
}

interface Token {
  readonly kind: 'number' | 'name' | 'sign';
  readonly text: string;
  readonly index: number;
}

function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match)
      throw new ExpressionError(
        `cannot read \`${text.slice(start).trim().slice(0, 10)}\` at character ${start + 1}`,
      );
    const [, number, name, sign] = match;
    const word = number ?? name ?? sign!;
    tokens.push({
      kind: number ? 'number' : name ? 'name' : 'sign',
      text: word,
      index: TOKEN.lastIndex - word.length,
    });
  }
  return tokens;
}

export function fieldsOf(expression: Expression): string[] {
  switch (expression.kind) {
    case 'number':
      return [];
    case 'field':
      return [expression.name];
    case 'negate':
      return fieldsOf(expression.operand);
    case 'binary':
      return [...fieldsOf(expression.left), ...fieldsOf(expression.right)];
    case 'call':
      return expression.operands.flatMap(fieldsOf);
  }
}

/** SQL over the row's columns (a number field's column has the field's name). Division is exact, by zero NULL. */
export function expressionSql(expression: Expression): string {
  switch (expression.kind) {
    case 'number':
      return expression.text;
    case 'field':
      return pgIdent(expression.name);
    case 'negate':
      return `(- ${expressionSql(expression.operand)})`;
    case 'binary': {
      const left = expressionSql(expression.left);
      const right = expressionSql(expression.right);
      return expression.operator === '/'
        ? `(${left}::numeric / nullif(${right}, 0))`
        : `(${left} ${expression.operator} ${right})`;
    }
    case 'call':
      return callSql(expression.function, expression.operands.map(expressionSql));
  }
}

function callSql(name: FunctionName, operands: readonly string[]): string {
  if (name !== 'round') return `${name}(${operands.join(', ')})`;
  const [value, digits] = operands;
  return digits === undefined ? `round(${value}::numeric)` : `round(${value}::numeric, ${digits}::integer)`;
}
