import { type Token, tokenise } from './tokens.ts';
import { type BinaryOperator, type Expression, ExpressionError, type Step } from './tree.ts';

const MAX_LENGTH = 2000;
const MAX_DEPTH = 50;

/** Loosest first; each level binds to the left. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [['or'], ['and'], ['||'], ['+', '-'], ['*', '/']];
const NOT_LEVEL = 2;
const COMPARISONS = new Set<string>(['=', '!=', '<', '<=', '>', '>=', 'contains']);

/** The tree of a text. Throws ExpressionError saying what is wrong and at which character. */
export function parseExpression(text: string): Expression {
  if (text.length > MAX_LENGTH) throw new ExpressionError(`is longer than ${MAX_LENGTH} characters`);
  return new Parser(tokenise(text)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#level(0);
    if (this.#peek().kind !== 'end') this.#fail('an operator');
    return expression;
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #fail(wanted: string): never {
    const token = this.#peek();
    throw new ExpressionError(
      token.kind === 'end'
        ? `expected ${wanted} at the end`
        : `expected ${wanted} instead of \`${token.text}\` at character ${token.at + 1}`,
    );
  }

  #is(text: string): boolean {
    const token = this.#peek();
    return (token.kind === 'sign' || token.kind === 'word') && token.text === text;
  }

  #skip(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#next += 1;
    return true;
  }

  #take(text: string): void {
    if (!this.#skip(text)) this.#fail(`\`${text}\``);
  }

  #deeper<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new ExpressionError('is nested too deeply');
    try {
      return read();
    } finally {
      this.#depth -= 1;
    }
  }

  #level(level: number): Expression {
    if (level === NOT_LEVEL) return this.#not();
    return this.#leftwards(level > NOT_LEVEL ? level - 1 : level, () => this.#level(level + 1));
  }

  #leftwards(level: number, inner: () => Expression): Expression {
    const operators = LEVELS[level];
    if (!operators) return this.#unary();
    let left = inner();
    for (;;) {
      const operator = operators.find((one) => this.#skip(one));
      if (!operator) return left;
      left = { kind: 'binary', at: left.at, operator, left, right: inner() };
    }
  }

  #not(): Expression {
    const { at } = this.#peek();
    if (!this.#skip('not')) return this.#comparison();
    return { kind: 'unary', at, operator: 'not', operand: this.#deeper(() => this.#not()) };
  }

  #comparison(): Expression {
    const left = this.#level(NOT_LEVEL + 1);
    const { at } = left;
    const token = this.#peek();
    if ((token.kind === 'sign' || token.kind === 'word') && COMPARISONS.has(token.text)) {
      this.#next += 1;
      const right = this.#level(NOT_LEVEL + 1);
      return { kind: 'binary', at, operator: token.text as BinaryOperator, left, right };
    }
    if (this.#skip('is')) {
      const negated = this.#skip('not');
      this.#take('null');
      return { kind: 'isNull', at, operand: left, negated };
    }
    const negated = this.#skip('not');
    if (this.#skip('in')) {
      this.#take('(');
      return { kind: 'in', at, operand: left, values: this.#list(), negated };
    }
    if (negated) this.#fail('`in`');
    return left;
  }

  #unary(): Expression {
    const { at } = this.#peek();
    if (!this.#skip('-')) return this.#primary();
    return { kind: 'unary', at, operator: '-', operand: this.#deeper(() => this.#unary()) };
  }

  #primary(): Expression {
    const token = this.#peek();
    const { at, text } = token;
    if (this.#skip('(')) {
      const inner = this.#deeper(() => this.#level(0));
      this.#take(')');
      return inner;
    }
    if (this.#skip('null')) return { kind: 'null', at };
    for (const value of [true, false]) if (this.#skip(String(value))) return { kind: 'boolean', at, value };
    if (token.kind === 'sign' || token.kind === 'word' || token.kind === 'end')
      return this.#fail('a value, a field or `(`');
    this.#next += 1;
    if (token.kind === 'number') return { kind: 'number', at, text };
    if (token.kind === 'text') return { kind: 'text', at, value: text };
    if (token.kind === 'variable') return { kind: 'variable', at, name: text, steps: this.#steps([]) };
    if (this.#skip('(')) {
      const operands = this.#skip(')') ? [] : this.#list();
      return { kind: 'call', at, function: text, operands };
    }
    return { kind: 'path', at, steps: this.#steps([this.#by(text)]) };
  }

  /** Expressions up to the closing bracket. */
  #list(): Expression[] {
    const items = [this.#deeper(() => this.#level(0))];
    while (this.#skip(',')) items.push(this.#deeper(() => this.#level(0)));
    this.#take(')');
    return items;
  }

  #steps(first: readonly Step[]): Step[] {
    const steps = [...first];
    while (this.#skip('.')) steps.push(this.#by(this.#name()));
    return steps;
  }

  #by(name: string): Step {
    if (!this.#skip('[')) return { name };
    const by = this.#name();
    this.#take(']');
    return { name, by };
  }

  #name(): string {
    const token = this.#peek();
    if (token.kind !== 'name') this.#fail('a name');
    this.#next += 1;
    return token.text;
  }
}
