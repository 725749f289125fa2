import type { YamlPath } from '#kernel';
import { parseExpression } from './expressions/parse.ts';
import { ExpressionError } from './expressions/tree.ts';
import { entityPathOf } from './expressions/types.ts';
import type { App, EntityModel } from './model.ts';
import type { Effect } from './model-behaviour.ts';
import type { Apps } from './places.ts';
import { trailTo } from './trail.ts';

/** Something that happens for certain once what it hangs on has happened. */
interface Link {
  readonly to: string;
  readonly app: App;
  readonly entity: EntityModel;
  /** The effect, in its entity. */
  readonly path: YamlPath;
}

/**
 * Automations and transitions that set each other off for certain: no condition and no empty list of rows
 * can end the circle. Those that may end are left to the limit of depth while they run. `set` writes
 * the record itself without setting off automations, so it is in no circle.
 */
export function effectCircles(
  apps: Apps,
): { app: App; entity: EntityModel; path: YamlPath; circle: readonly string[] }[] {
  const links = linksOf(apps);
  return [...links].flatMap(([start, list]) =>
    list.flatMap(({ to, app, entity, path }) => {
      const trail = path.length > 0 ? trailTo(to, start, links) : null;
      return trail ? [{ app, entity, path, circle: [start, ...trail] }] : [];
    }),
  );
}

function linksOf(apps: Apps): Map<string, Link[]> {
  const links = new Map<string, Link[]>();
  for (const app of apps.values())
    for (const entity of app.entities) {
      const add = (from: string, to: string, path: YamlPath): void => {
        links.set(from, [...(links.get(from) ?? []), { to, app, entity, path }]);
      };
      const own = entityPathOf(entity);
      const follow = (froms: readonly string[], effects: readonly Effect[], path: YamlPath): void => {
        for (const [at, effect] of effects.entries())
          for (const from of froms)
            for (const to of outcomes(apps, own, effect)) add(from, to, [...path, at]);
      };
      for (const [at, one] of (entity.states?.transitions ?? []).entries()) {
        follow([`${own} does ${one.name}`], one.effects, ['states', 'transitions', at, 'effects']);
        if (!one.from.includes(one.to)) add(`${own} does ${one.name}`, `${own} enters ${one.to}`, []);
      }
      for (const [at, one] of entity.automations.entries())
        if (one.if === undefined)
          follow(triggersOf(own, one.when), one.effects, ['automations', at, 'effects']);
    }
  return links;
}

function triggersOf(own: string, when: EntityModel['automations'][number]['when']): string[] {
  if (when.kind === 'created') return [`${own} created`];
  if (when.kind === 'enters') return [`${own} enters ${when.state}`];
  return when.kind === 'changed' ? when.fields.map((field) => `${own} changes ${field}`) : [];
}

function outcomes(apps: Apps, own: string, effect: Effect): string[] {
  if (effect.kind === 'set' || effect.kind === 'require') return [];
  if (effect.if !== undefined || effect.each !== undefined) return [];
  if (effect.kind === 'create') {
    const [app, name] = effect.entity.split('.');
    const states = apps.get(app!)?.entities.find((one) => one.name === name)?.states;
    const enters = states && !(states.field in effect.values) ? [states.initial] : [];
    return [`${effect.entity} created`, ...enters.map((state) => `${effect.entity} enters ${state}`)];
  }
  if (effect.kind === 'transition') return effect.record === undefined ? [`${own} does ${effect.name}`] : [];
  if (effect.kind !== 'update' || effect.entity !== own || effect.match.id !== 'id') return [];
  // What is set may be what is there already; what is added to changes.
  return Object.entries(effect.add).flatMap(([field, text]) =>
    addsSomething(text) ? [`${own} changes ${field}`] : [],
  );
}

function addsSomething(text: string): boolean {
  try {
    const tree = parseExpression(text);
    const amount = tree.kind === 'unary' ? tree.operand : tree;
    return amount.kind === 'number' && Number(amount.text) !== 0;
  } catch (error) {
    if (error instanceof ExpressionError) return false;
    throw error;
  }
}
