import { rowsAt, type Scope } from './scope.ts';
import { type Expression, ExpressionError, partsOf, printSteps, type Step } from './tree.ts';
import type { Row, Rows, Typed } from './typed.ts';
import { BOOLEAN, DECIMAL, describeType, INTEGER, isNumber, type Type } from './types.ts';
import { rowVariable } from './variables.ts';

/** Inside an aggregate: the path that stands for its row. */
export interface Each {
  readonly prefix: string;
  readonly length: number;
  readonly rows: Rows;
}

/** What checks the expressions inside and around. */
export interface AggregateChecker {
  readonly scope: Scope;
  readonly each: Each | null;
  readonly problems: readonly string[];
  within(each: Each): AggregateChecker;
  check(node: Expression): Typed | null;
  wanted(node: Typed, type: Type, from: Expression): Typed | null;
}

/** `sum(lines.net)`, `count(crm.activity, crm.activity.status = 'open')`. Throws ExpressionError. */
export function checkAggregate(outer: AggregateChecker, node: Expression & { kind: 'call' }): Typed {
  const { function: name, operands } = node;
  if (outer.scope.reach === 'own')
    throw new ExpressionError(`\`${name}\` looks at other rows; only the record itself can be used here`);
  if (outer.each) throw new ExpressionError(`\`${name}\` cannot stand inside another aggregate`);
  const [first, condition] = operands;
  if (!first || operands.length > 2)
    throw new ExpressionError(`\`${name}\` takes rows or a value of them, and perhaps a condition`);
  const source = sourceOf(first, outer.scope) ?? (condition && sourceOf(condition, outer.scope));
  if (!source)
    throw new ExpressionError(
      `\`${name}\` needs rows: a child table, or an entity that refers to ${outer.scope.entity.name}`,
    );
  const inner = outer.within(source);
  const whole = printOf(first) === source.prefix;
  const before = outer.problems.length;
  const value = whole ? null : inner.check(first);
  const held = condition ? inner.check(condition) : null;
  const filter = held && inner.wanted(held, BOOLEAN, condition!);
  if (outer.problems.length > before) return { kind: 'literal', type: INTEGER, value: null };
  return {
    kind: 'aggregate',
    type: typeOf(name, value),
    function: name,
    rows: source.rows,
    value,
    condition: filter,
  };
}

function typeOf(name: string, value: Typed | null): Type {
  if (name === 'count') {
    if (value) throw new ExpressionError('`count` takes rows, not a value: put the condition second');
    return INTEGER;
  }
  if (name === 'any' && !value) return BOOLEAN;
  if (!value) throw new ExpressionError(`\`${name}\` needs a value of the rows, as \`lines.amount\``);
  const { type } = value;
  const refused = (wanted: string): never => {
    throw new ExpressionError(`\`${name}\` takes ${wanted}, not ${describeType(type)}`);
  };
  if (name === 'any' || name === 'all') return type.kind === 'boolean' ? BOOLEAN : refused('a condition');
  if (name === 'avg') return isNumber(type) ? DECIMAL : refused('a number');
  if (name === 'sum') return isNumber(type) ? type : refused('a number');
  const ordered = ['integer', 'decimal', 'text', 'date', 'dateTime'].includes(type.kind);
  return ordered ? type : refused('a number, text or date');
}

const printOf = (node: Expression): string | null => {
  if (node.kind === 'path') return printSteps(node.steps);
  return node.kind === 'variable' ? `$${printSteps([{ name: node.name }, ...node.steps])}` : null;
};

/** The first path in an expression that leads to rows. */
function sourceOf(node: Expression, scope: Scope): Each | null {
  if (node.kind === 'path') return rowsOf(scope, { kind: 'own' }, scope.entity, node.steps, '');
  if (node.kind === 'variable') {
    const entity = rowVariable(scope, node.name);
    const row: Row = { kind: 'variable', name: node.name };
    return entity && rowsOf(scope, row, entity, node.steps, `$${node.name}.`);
  }
  for (const part of partsOf(node)) {
    const found = sourceOf(part, scope);
    if (found) return found;
  }
  return null;
}

function rowsOf(
  scope: Scope,
  row: Row,
  entity: Scope['entity'],
  steps: readonly Step[],
  before: string,
): Each | null {
  const found = rowsAt(scope.apps, row, entity, steps);
  if (!found) return null;
  const prefix = `${before}${printSteps(steps.slice(0, found.length))}`;
  return { prefix, length: found.length, rows: found.rows };
}
