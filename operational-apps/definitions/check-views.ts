import { type ExpressionReport, expressionAt } from './check-expression.ts';
import { fieldOf, namesOf } from './expressions/scope.ts';
import { entityPathOf } from './expressions/types.ts';
import { hint } from './hint.ts';
import { type EntityModel, resolvePath } from './model.ts';
import type { View } from './schema/views.ts';

/** Views: what they show is there; related records refer to this one. Names of measures are not looked up. */
export function checkViews(
  { apps, entity, report }: ExpressionReport,
  field: (name: string, path: readonly PropertyKey[]) => void,
): void {
  for (const [at, view] of entity.views.entries()) {
    const path = ['views', at];
    if ('filter' in view && view.filter !== undefined)
      expressionAt({ apps, entity, report }, view.filter, [...path, 'filter'], 'filter');
    if ('fields' in view)
      for (const [index, name] of (view.fields ?? []).entries()) field(name, [...path, 'fields', index]);
    if ('sort' in view)
      for (const [index, name] of (view.sort ?? []).entries())
        field(name.replace(/^-/, ''), [...path, 'sort', index]);
    for (const key of ['by', 'title', 'from', 'to'] as const) {
      const name = (view as Partial<Record<typeof key, string>>)[key];
      if (name !== undefined) field(name, [...path, key]);
    }
    if (view.type === 'form')
      for (const [section, { fields }] of view.sections.entries())
        for (const [index, name] of fields.entries())
          field(name, [...path, 'sections', section, 'fields', index]);
    if (view.type === 'detail')
      for (const [index, one] of (view.related ?? []).entries())
        checkRelated({ apps, entity, report }, one, [...path, 'related', index]);
  }
}

type Related = NonNullable<(View & { type: 'detail' })['related']>[number];

function checkRelated(
  { apps, entity, report }: ExpressionReport,
  related: Related,
  path: readonly PropertyKey[],
): void {
  const { app, entity: name } = resolvePath(entity.app, related.entity);
  const entities = apps.get(app)?.entities;
  const target = entities?.find((one) => one.name === name);
  if (!entities || !target) {
    const known = entities?.map((one) => one.name) ?? [];
    report(
      [...path, 'entity'],
      entities
        ? `unknown entity \`${related.entity}\`${hint(name, known)}`
        : `unknown app \`${app}\`${hint(app, [...apps.keys()])}`,
    );
    return;
  }
  if (!pointsTo(target, related.by, entityPathOf(entity))) {
    const pointing = namesOf(target).filter((one) => pointsTo(target, one, entityPathOf(entity)));
    report(
      [...path, 'by'],
      pointing.length === 0
        ? `\`${related.entity}\` does not refer to ${entity.name}`
        : `\`${related.by}\` of \`${related.entity}\` does not refer to ${entity.name}; ${pointing.map((one) => `\`${one}\``).join(' and ')} ${pointing.length === 1 ? 'does' : 'do'}`,
    );
  }
  const field = (wanted: string, at: readonly PropertyKey[]): void => {
    if (!target.fields.some((one) => one.name === wanted) && fieldOf(target, wanted) === null)
      report(at, `unknown field \`${wanted}\` of ${target.name}${hint(wanted, namesOf(target))}`);
  };
  for (const [index, one] of (related.fields ?? []).entries()) field(one, [...path, 'fields', index]);
  for (const [index, one] of (related.sort ?? []).entries())
    field(one.replace(/^-/, ''), [...path, 'sort', index]);
}

/** A reference to that entity, or the parent of a child table. */
function pointsTo(entity: EntityModel, name: string, path: string): boolean {
  if (name === 'id') return false;
  const type = fieldOf(entity, name)?.type;
  return (type?.kind === 'reference' || type?.kind === 'anyReference') && type.entities.includes(path);
}
