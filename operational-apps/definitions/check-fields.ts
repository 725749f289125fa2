import { checkComputed } from './check-computed.ts';
import type { FieldModel } from './field-model.ts';
import { hint } from './hint.ts';
import { type App, type EntityModel, resolvePath } from './model.ts';
import { patternProblem } from './pattern.ts';
import type { Apps } from './places.ts';
import type { Report } from './problems.ts';

/** What each field needs from its neighbours and from other entities. */
export function checkFields(entity: EntityModel, app: App, apps: Apps, report: Report): void {
  const former = new Set<string>();
  for (const field of entity.fields) {
    const at = (key: string, message: string): void => report(['fields', field.name, key], message);
    if (field.type === 'reference')
      checkEntityPath(field.entity, entity, apps, (message) => at('entity', message));
    if (field.type === 'anyReference')
      for (const [index, path] of field.entities.entries())
        checkEntityPath(path, entity, apps, (message) =>
          report(['fields', field.name, 'entities', index], message),
        );
    if (field.type === 'childTable') checkChild(field, entity, app, at);
    if (field.type === 'money') checkCurrency(field, entity, at);
    if (field.type === 'select' && field.default !== undefined && !(field.default in field.options))
      at(
        'default',
        `\`${field.default}\` is not an option${hint(field.default, Object.keys(field.options))}`,
      );
    if (field.type === 'multiSelect')
      for (const [index, value] of (field.default ?? []).entries())
        if (!(value in field.options))
          report(
            ['fields', field.name, 'default', index],
            `\`${value}\` is not an option${hint(value, Object.keys(field.options))}`,
          );
    if (field.type === 'decimal' && field.scale > field.precision)
      at('scale', `is larger than precision ${field.precision}`);
    if ('pattern' in field && field.pattern !== undefined) {
      const wrong = patternProblem(field.pattern);
      if (wrong !== null) at('pattern', wrong);
    }
    if ('renamedFrom' in field && field.renamedFrom !== undefined) {
      if (entity.fields.some((one) => one.name === field.renamedFrom))
        at('renamedFrom', `\`${field.renamedFrom}\` is still a field of this entity`);
      else if (former.has(field.renamedFrom)) at('renamedFrom', 'two fields claim this former name');
      former.add(field.renamedFrom);
    }
  }
  checkComputed(entity, apps, report);
}

function checkEntityPath(
  path: string,
  from: EntityModel,
  apps: Apps,
  report: (message: string) => void,
): void {
  const { app, entity } = resolvePath(from.app, path);
  const target = apps.get(app);
  if (!target) {
    report(`unknown app \`${app}\`${hint(app, [...apps.keys()])}`);
    return;
  }
  const found = target.entities.find((one) => one.name === entity);
  const known = target.entities.map((one) => one.name);
  if (!found) report(`unknown entity \`${path}\`${hint(entity, known)}`);
  else if (!from.tenantScoped && found.tenantScoped)
    report(`\`${path}\` belongs to a tenant and \`${from.name}\` does not`);
}

function checkChild(
  field: FieldModel & { type: 'childTable' },
  entity: EntityModel,
  app: App,
  at: (key: string, message: string) => void,
): void {
  const child = app.entities.find((one) => one.name === field.entity);
  if (!child) {
    const names = app.entities.map((one) => one.name);
    at('entity', `unknown entity \`${field.entity}\`${hint(field.entity, names)}`);
    return;
  }
  if (child.owner?.entity !== entity.name || child.owner.field !== field.name)
    at(
      'entity',
      `\`${field.entity}\` is already the child table \`${child.owner?.entity}.${child.owner?.field}\``,
    );
  if (child.tenantScoped !== entity.tenantScoped)
    at('entity', `\`${field.entity}\` and \`${entity.name}\` must both be tenant-scoped or both not`);
}

function checkCurrency(
  field: FieldModel & { type: 'money' },
  entity: EntityModel,
  at: (key: string, message: string) => void,
): void {
  if ((field.currency === undefined) === (field.currencyField === undefined)) {
    at('type', 'money needs either `currency` or `currencyField`');
    return;
  }
  if (field.currencyField === undefined) return;
  const holder = entity.fields.find((one) => one.name === field.currencyField);
  const names = entity.fields
    .filter((one) => one.type === 'select' || one.type === 'text')
    .map((one) => one.name);
  if (!holder)
    at('currencyField', `unknown field \`${field.currencyField}\`${hint(field.currencyField, names)}`);
  else if (holder.type !== 'select' && holder.type !== 'text')
    at('currencyField', `\`${holder.name}\` is of type ${holder.type}; a currency is a text or a select`);
}
