import { hint } from '../hint.ts';
import type { Typed } from './typed.ts';
import { describeType, isNumber, type Type } from './types.ts';

const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z$/;

/** The expression as a value of another type, where that loses nothing; else what is wrong. */
export function convert(node: Typed, to: Type): Typed | string {
  const from = node.type;
  const refused = `is of type ${describeType(from)}, not ${describeType(to)}`;
  if (node.kind === 'literal' && node.value === null) return { ...node, type: to };
  if (to.kind === 'reference' || to.kind === 'anyReference') {
    const points = from.kind === 'reference' || (from.kind === 'anyReference' && to.kind === from.kind);
    const meets = points && from.entities.some((entity) => to.entities.includes(entity));
    return meets ? node : refused;
  }
  if (from.kind === 'text' && node.kind === 'literal') {
    const text = String(node.value);
    if (to.kind === 'text' && to.options && !to.options.includes(text))
      return `\`${text}\` is not one of its values${hint(text, to.options)}`;
    if (to.kind === 'date')
      return isDay(text) ? { ...node, type: to } : `\`${text}\` is no date (YYYY-MM-DD)`;
    if (to.kind === 'dateTime')
      return isInstant(text) ? { ...node, type: to } : `\`${text}\` is no instant (2026-01-31T12:00:00Z)`;
  }
  if (from.kind === to.kind) return node;
  if (from.kind === 'integer' && to.kind === 'decimal') return node;
  if (from.kind === 'date' && to.kind === 'dateTime') return { kind: 'convert', type: to, operand: node };
  return refused;
}

const isDay = (text: string): boolean => DATE.test(text) && !Number.isNaN(Date.parse(text));
const isInstant = (text: string): boolean => INSTANT.test(text) && !Number.isNaN(Date.parse(text));

/** Brings values to one type; a text says why that is impossible. */
export function unify(nodes: readonly Typed[]): { type: Type; nodes: readonly Typed[] } | string {
  const given = nodes.filter((node) => node.type.kind !== 'null');
  const lead = given.find((node) => node.kind !== 'literal') ?? given[0];
  if (!lead) return 'has no type: every value is null';
  let type = lead.type;
  if (isNumber(type) && given.some((node) => node.type.kind === 'decimal')) type = { kind: 'decimal' };
  if (type.kind === 'date' && given.some((node) => node.type.kind === 'dateTime'))
    type = { kind: 'dateTime' };
  const brought: Typed[] = [];
  for (const node of nodes) {
    const one = convert(node, type);
    if (typeof one === 'string') return one;
    brought.push(one);
  }
  return { type, nodes: brought };
}

/** May the value be put into a field of this type? Null if so, else what is wrong. */
export function assignment(node: Typed, to: Type): Typed | string {
  if (isNumber(node.type) && isNumber(to)) return node;
  if (to.kind === 'anyReference' && node.type.kind === 'reference') {
    const outside = node.type.entities.filter((entity) => !to.entities.includes(entity));
    return outside.length === 0 ? node : `may not point to ${outside.join(', ')}`;
  }
  return convert(node, to);
}
