import { checkExpression } from './expressions/check.ts';
import { parseExpression } from './expressions/parse.ts';
import { ExpressionError } from './expressions/tree.ts';
import { readsOf } from './expressions/typed.ts';
import { entityPathOf } from './expressions/types.ts';
import type { App, EntityModel } from './model.ts';
import { type Apps, scopeFor } from './places.ts';
import { trailTo } from './trail.ts';

interface Read {
  /** `crm.account.total` */
  readonly to: string;
  /** Of other rows. */
  readonly rollUp: boolean;
}

/**
 * Computed fields that follow from one another over the rows of entities: keeping one would change the
 * other without end. Gives each roll-up in a circle; circles within one row are found with its fields.
 */
export function rollUpCircles(
  apps: Apps,
): { app: App; entity: EntityModel; field: string; circle: readonly string[] }[] {
  const reads = new Map<string, Read[]>();
  const places = new Map<string, { app: App; entity: EntityModel; field: string }>();
  for (const app of apps.values())
    for (const entity of app.entities)
      for (const field of entity.fields) {
        if (!('computed' in field) || field.computed === undefined) continue;
        const name = `${entityPathOf(entity)}.${field.name}`;
        places.set(name, { app, entity, field: field.name });
        reads.set(name, lookedAt(apps, entity, field.computed));
      }
  return [...reads].flatMap(([start, list]) => {
    for (const { to, rollUp } of list) {
      const trail = rollUp ? trailTo(to, start, reads) : null;
      if (trail) return [{ ...places.get(start)!, circle: [start, ...trail] }];
    }
    return [];
  });
}

function lookedAt(apps: Apps, entity: EntityModel, text: string): Read[] {
  try {
    const { typed } = checkExpression(parseExpression(text), scopeFor(apps, entity, 'computed'));
    return typed
      ? readsOf(typed).map(({ entity: other, column }) => ({
          to: `${entityPathOf(other ?? entity)}.${column}`,
          rollUp: other !== null,
        }))
      : [];
  } catch (error) {
    if (error instanceof ExpressionError) return [];
    throw error;
  }
}
