import { hint } from '../hint.ts';
import { type AggregateChecker, checkAggregate, type Each } from './check-aggregate.ts';
import { convert, unify } from './convert.ts';
import { AGGREGATES, FUNCTION_NAMES, FUNCTIONS, isPrintable } from './functions.ts';
import { lookUp, type Scope } from './scope.ts';
import { type Expression, ExpressionError, printSteps, type Step } from './tree.ts';
import type { Row, Typed } from './typed.ts';
import {
  BOOLEAN,
  DATE,
  DATE_TIME,
  DECIMAL,
  describeType,
  INTEGER,
  isNumber,
  NULL,
  TEXT,
  type Type,
} from './types.ts';
import { variableValue } from './variables.ts';

/** Every name looked up and every type worked out; or null and, in `problems`, everything wrong. */
export interface CheckedExpression {
  readonly typed: Typed | null;
  readonly problems: readonly string[];
}

/** Types an expression at its place. `wanted`: what it must give there. */
export function checkExpression(expression: Expression, scope: Scope, wanted?: Type): CheckedExpression {
  const checker = new Checker(scope);
  let typed = checker.check(expression);
  if (typed && wanted) typed = checker.wanted(typed, wanted, expression);
  return { typed: checker.problems.length > 0 ? null : typed, problems: checker.problems };
}

class Checker implements AggregateChecker {
  readonly scope: Scope;
  readonly each: Each | null;
  readonly problems: string[];

  constructor(scope: Scope, each: Each | null = null, problems: string[] = []) {
    this.scope = scope;
    this.each = each;
    this.problems = problems;
  }

  within(each: Each): Checker {
    return new Checker(this.scope, each, this.problems);
  }

  problem(at: number, message: string): null {
    this.problems.push(at === 0 ? message : `${message} (character ${at + 1})`);
    return null;
  }

  wanted(node: Typed, type: Type, from: Expression): Typed | null {
    const result = convert(node, type);
    if (typeof result !== 'string') return result;
    return this.problem(from.at, `${result}`);
  }

  check(node: Expression): Typed | null {
    switch (node.kind) {
      case 'number':
        return { kind: 'literal', type: node.text.includes('.') ? DECIMAL : INTEGER, value: node.text };
      case 'text':
        return { kind: 'literal', type: TEXT, value: node.value };
      case 'boolean':
        return { kind: 'literal', type: BOOLEAN, value: node.value };
      case 'null':
        return { kind: 'literal', type: NULL, value: null };
      case 'path':
        return this.#path(node.steps, node.at);
      case 'variable':
        return this.#variable(node.name, node.steps, node.at);
      case 'unary':
        return this.#unary(node);
      case 'binary':
        return this.#binary(node);
      case 'isNull': {
        const operand = this.check(node.operand);
        return operand && { kind: 'isNull', type: BOOLEAN, operand, negated: node.negated };
      }
      case 'in':
        return this.#in(node);
      case 'call':
        return this.#call(node);
    }
  }

  #path(steps: readonly Step[], at: number): Typed | null {
    return this.#tried(at, () => {
      const { each } = this;
      if (each && printSteps(steps.slice(0, each.length)) === each.prefix)
        return this.value({ kind: 'each', rows: each.rows }, steps.slice(each.length), printSteps(steps));
      return this.value({ kind: 'own' }, steps, printSteps(steps));
    });
  }

  /** The value at the end of a path. */
  value(row: Row, steps: readonly Step[], shown: string): Typed {
    const entity = row.kind === 'each' ? row.rows.entity : this.scope.entity;
    const found = lookUp(this.scope.apps, row, entity, steps);
    if (found.kind === 'rows')
      throw new ExpressionError(`\`${shown}\` speaks of many rows: use it in ${[...AGGREGATES].join(', ')}`);
    this.outside(found.value, shown);
    return found.value;
  }

  outside(value: Typed, shown: string): void {
    if (this.scope.reach !== 'all' && value.kind === 'column' && value.row.kind === 'through')
      throw new ExpressionError(`\`${shown}\` leads to another record, which cannot be used here`);
  }

  #variable(name: string, steps: readonly Step[], at: number): Typed | null {
    return this.#tried(at, () => {
      if ((name === 'now' || name === 'today') && steps.length === 0) return this.clock(name);
      const value = variableValue(this.scope, name, steps);
      this.outside(value, `$${name}`);
      return value;
    });
  }

  clock(unit: 'now' | 'today'): Typed {
    if (!this.scope.clock)
      throw new ExpressionError('the time changes without a write, so it cannot be used here');
    return { kind: 'clock', type: unit === 'now' ? DATE_TIME : DATE, unit };
  }

  #tried(at: number, find: () => Typed): Typed | null {
    try {
      return find();
    } catch (error) {
      if (error instanceof ExpressionError) return this.problem(at, error.message);
      throw error;
    }
  }

  #unary(node: Expression & { kind: 'unary' }): Typed | null {
    const operand = this.check(node.operand);
    if (!operand) return null;
    if (node.operator === 'not') {
      const value = this.wanted(operand, BOOLEAN, node.operand);
      return value && { kind: 'unary', type: BOOLEAN, operator: 'not', operand: value };
    }
    if (!isNumber(operand.type)) return this.#notNumber(operand, node.operand);
    return { kind: 'unary', type: operand.type, operator: '-', operand };
  }

  #notNumber(operand: Typed, from: Expression): null {
    const shown = from.kind === 'path' ? `\`${printSteps(from.steps)}\` ` : '';
    return this.problem(from.at, `${shown}is of type ${describeType(operand.type)}, not a number`);
  }

  #binary(node: Expression & { kind: 'binary' }): Typed | null {
    const { operator } = node;
    const [left, right] = [this.check(node.left), this.check(node.right)];
    if (!left || !right) return null;
    const build = (type: Type, a: Typed | null, b: Typed | null): Typed | null =>
      a && b && { kind: 'binary', type, operator, left: a, right: b };
    switch (operator) {
      case 'or':
      case 'and':
        return build(BOOLEAN, this.wanted(left, BOOLEAN, node.left), this.wanted(right, BOOLEAN, node.right));
      case '+':
      case '-':
      case '*':
      case '/': {
        const sides = [
          isNumber(left.type) || this.#notNumber(left, node.left),
          isNumber(right.type) || this.#notNumber(right, node.right),
        ];
        if (sides.includes(null)) return null;
        const whole = operator !== '/' && left.type.kind === 'integer' && right.type.kind === 'integer';
        return build(whole ? INTEGER : DECIMAL, left, right);
      }
      case '||': {
        for (const [side, from] of [
          [left, node.left],
          [right, node.right],
        ] as const)
          if (!isPrintable(side.type))
            return this.problem(from.at, `is of type ${describeType(side.type)}, which has no text form`);
        return build(TEXT, left, right);
      }
      case 'contains': {
        const item = this.wanted(right, { ...TEXT, ...optionsOf(left.type) }, node.right);
        if (left.type.kind === 'list' || left.type.kind === 'text')
          return build(
            BOOLEAN,
            left,
            left.type.kind === 'list' ? item : this.wanted(right, TEXT, node.right),
          );
        return this.problem(
          node.left.at,
          `is of type ${describeType(left.type)}; \`contains\` is for texts and lists`,
        );
      }
      default:
        return this.#comparison(node, left, right);
    }
  }

  #comparison(node: Expression & { kind: 'binary' }, left: Typed, right: Typed): Typed | null {
    if (left.type.kind === 'null' || right.type.kind === 'null')
      return this.problem(node.at, 'nothing equals null: write `is null` or `is not null`');
    const result = unify([left, right]);
    if (typeof result === 'string') return this.problem(node.at, result);
    const { kind } = result.type;
    const equality = node.operator === '=' || node.operator === '!=';
    const ordered = ['integer', 'decimal', 'text', 'date', 'dateTime'].includes(kind);
    if (!ordered && (!equality || kind === 'json' || kind === 'address' || kind === 'anyReference'))
      return this.problem(
        node.at,
        `values of type ${describeType(result.type)} cannot be compared by \`${node.operator}\``,
      );
    const [a, b] = result.nodes;
    return { kind: 'binary', type: BOOLEAN, operator: node.operator, left: a!, right: b! };
  }

  #in(node: Expression & { kind: 'in' }): Typed | null {
    const operand = this.check(node.operand);
    const values = node.values.map((value) => this.check(value));
    if (!operand || values.includes(null)) return null;
    if (values.some((value) => value?.type.kind === 'null'))
      return this.problem(node.at, 'nothing equals null: write `is null` or `is not null`');
    const result = unify([operand, ...(values as Typed[])]);
    if (typeof result === 'string') return this.problem(node.at, result);
    const [first, ...rest] = result.nodes;
    return { kind: 'in', type: BOOLEAN, operand: first!, values: rest, negated: node.negated };
  }

  #call(node: Expression & { kind: 'call' }): Typed | null {
    const { function: name, at } = node;
    if (AGGREGATES.has(name)) return this.#tried(at, () => checkAggregate(this, node));
    if (name === 'now' || name === 'today') {
      if (node.operands.length > 0) return this.problem(at, `\`${name}\` takes no values`);
      return this.#tried(at, () => this.clock(name));
    }
    const known = name === 'if' ? IF : FUNCTIONS.get(name);
    if (!known) return this.problem(at, `unknown function \`${name}\`${hint(name, FUNCTION_NAMES)}`);
    const [least, most] = known.operands;
    if (node.operands.length < least || node.operands.length > most)
      return this.problem(at, `\`${name}\` takes ${least === most ? least : `${least} to ${most}`} values`);
    const operands = node.operands.map((operand) => this.check(operand));
    if (operands.includes(null)) return null;
    return this.#typedCall(name, at, operands as Typed[]);
  }

  #typedCall(name: string, at: number, operands: readonly Typed[]): Typed | null {
    const [condition, ...branches] = operands;
    const fixed = name === 'if' ? [condition!] : [];
    if (name === 'if' && condition!.type.kind !== 'boolean')
      return this.problem(at, 'the condition of `if` must be of type boolean');
    const given = FUNCTIONS.get(name);
    if (given && !given.unified) {
      const type = given.rule(
        operands.map((one) => one.type),
        operands,
      );
      if (typeof type === 'string') return this.problem(at, `\`${name}\` ${type}`);
      return { kind: 'call', type, function: name, operands };
    }
    const result = unify(name === 'if' ? branches : operands);
    if (typeof result === 'string') return this.problem(at, `\`${name}\`: ${result}`);
    return { kind: 'call', type: result.type, function: name, operands: [...fixed, ...result.nodes] };
  }
}

const IF = { operands: [3, 3] } as const;

const optionsOf = (type: Type): { options?: readonly string[] } =>
  type.kind === 'list' && type.options ? { options: type.options } : {};
