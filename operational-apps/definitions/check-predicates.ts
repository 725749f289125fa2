import { checkExpression } from './expressions/check.ts';
import { parseExpression } from './expressions/parse.ts';
import { ExpressionError } from './expressions/tree.ts';
import { usesOf } from './expressions/typed.ts';
import { BOOLEAN, entityPathOf } from './expressions/types.ts';
import type { App, EntityModel } from './model.ts';
import { type Apps, scopeFor } from './places.ts';
import { trailTo } from './trail.ts';

/**
 * Policies of the database look at other tables under those tables' own policies: a circle would never end.
 * Gives, for each rule that closes one, its place and the circle.
 */
export function predicateCircles(
  apps: Apps,
): { app: App; entity: EntityModel; rule: number; circle: readonly string[] }[] {
  const reads = new Map<string, { to: string; rule: number }[]>();
  const entities = new Map<string, { app: App; entity: EntityModel }>();
  for (const app of apps.values())
    for (const entity of app.entities) {
      const from = entityPathOf(entity);
      entities.set(from, { app, entity });
      const edges = entity.owner
        ? [{ to: `${app.name}.${entity.owner.entity}`, rule: -1 }]
        : entity.permissions.flatMap((one, rule) =>
            lookedAt(apps, entity, one.where).map((to) => ({ to, rule })),
          );
      reads.set(from, edges);
    }
  const found: { app: App; entity: EntityModel; rule: number; circle: readonly string[] }[] = [];
  for (const [start, edges] of reads)
    for (const { to, rule } of edges) {
      const trail = rule < 0 ? null : trailTo(to, start, reads);
      if (trail) found.push({ ...entities.get(start)!, rule, circle: [start, ...trail] });
    }
  return found;
}

function lookedAt(apps: Apps, entity: EntityModel, where: string | undefined): string[] {
  if (where === undefined) return [];
  try {
    const { typed } = checkExpression(parseExpression(where), scopeFor(apps, entity, 'where'), BOOLEAN);
    return typed ? [...usesOf(typed).entities] : [];
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}
