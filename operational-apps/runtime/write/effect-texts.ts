import { type Effect, type Expression, parseExpression, partsOf } from '../../definitions/index.ts';

/** True if any expression of an effect speaks of one of these variables. */
export function speaksOf(effect: Effect, names: ReadonlySet<string>): boolean {
  return names.size > 0 && textsOf(effect).some((text) => mentions(parseExpression(text), names));
}

const mentions = (node: Expression, names: ReadonlySet<string>): boolean =>
  (node.kind === 'variable' && names.has(node.name)) || partsOf(node).some((part) => mentions(part, names));

function textsOf(effect: Effect): string[] {
  const texts = ownTexts(effect);
  if ('if' in effect) texts.push(effect.if);
  if ('each' in effect) texts.push(effect.each);
  return texts.filter((text) => text !== undefined);
}

function ownTexts(effect: Effect): (string | undefined)[] {
  switch (effect.kind) {
    case 'set':
      return Object.values(effect.values);
    case 'require':
      return [effect.rule];
    case 'create': {
      const children = Object.values(effect.children).flat();
      const rows = children.flatMap((row) => [row.each, row.if, ...Object.values(row.values)]);
      return [...Object.values(effect.values), ...rows];
    }
    case 'update':
      return [effect.match, effect.set, effect.add, effect.orCreate ?? {}].flatMap(Object.values<string>);
    case 'transition':
      return [effect.record, ...Object.values(effect.input)];
    case 'notify':
      return [effect.to, effect.text];
    case 'webhook':
      return Object.values(effect.body);
  }
}
