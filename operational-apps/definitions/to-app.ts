import type { FieldModel } from './field-model.ts';
import type { App, EntityModel, PermissionModel, RoleModel } from './model.ts';
import type { AppDefinition, Entity } from './schema/app.ts';
import type { Field } from './schema/fields.ts';
import { OPERATIONS, type PermissionDefinition } from './schema/permissions.ts';
import { toAction, toAutomation, toStates } from './to-behaviour.ts';

const humanise = (name: string): string => {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** A parsed file as model: names and defaults filled in, nothing checked yet. */
export function toApp(file: string, definition: AppDefinition): App {
  const owners = new Map<string, { entity: string; field: string }>();
  for (const [entity, { fields }] of Object.entries(definition.entities)) {
    for (const [field, { type, ...rest }] of Object.entries(fields)) {
      if (type === 'childTable' && 'entity' in rest) owners.set(String(rest.entity), { entity, field });
    }
  }
  const permissions = (definition.permissions ?? []).map(toPermission);
  return {
    file,
    name: definition.app.name,
    label: definition.app.label,
    description: definition.app.description,
    roles: Object.entries(definition.roles ?? {}).map(([name, role]) => toRole(name, role)),
    entities: Object.entries(definition.entities).map(([name, entity]) =>
      toEntity(definition.app.name, name, entity, owners.get(name) ?? null, permissions),
    ),
  };
}

function toEntity(
  app: string,
  name: string,
  entity: Entity,
  owner: EntityModel['owner'],
  permissions: readonly PermissionModel[],
): EntityModel {
  const label = entity.label ?? humanise(name);
  const names = { app, humanise, toFields };
  return {
    app,
    name,
    label,
    plural: entity.plural ?? `${label}s`,
    description: entity.description,
    titleField: entity.titleField ?? entity.numbering?.field ?? null,
    searchFields: entity.searchFields ?? [],
    unique: entity.unique ?? [],
    tenantScoped: entity.tenantScoped,
    numbering: entity.numbering,
    states: entity.states && toStates(entity.states, names),
    submittable: entity.submittable,
    comments: entity.comments ?? owner === null,
    attachments: entity.attachments ?? owner === null,
    permissions: entity.permissions?.map(toPermission) ?? permissions,
    checks: (entity.checks ?? []).map(({ when, message, ...check }) => ({ ...check, when, message })),
    actions: Object.entries(entity.actions ?? {}).map(([action, given]) => toAction(action, given, names)),
    automations: (entity.automations ?? []).map((one) => toAutomation(one, names)),
    views: (entity.views ?? []).map((view) => ({ ...view, label: view.label ?? humanise(view.name) })),
    renamedFrom: entity.renamedFrom,
    owner,
    fields: toFields(entity.fields),
  };
}

const toFields = (fields: Readonly<Record<string, Field>>): FieldModel[] =>
  Object.entries(fields).map(([name, field]) => ({ ...field, name, label: field.label ?? humanise(name) }));

function toPermission(given: PermissionDefinition): PermissionModel {
  return {
    roles: [given.role].flat(),
    can: given.can === 'all' ? OPERATIONS : given.can,
    where: given.where,
    hide: given.hide ?? [],
    mask: given.mask ?? [],
    readonly: given.readonly ?? [],
    level: given.level ?? 0,
  };
}

function toRole(name: string, given: NonNullable<AppDefinition['roles']>[string]): RoleModel {
  const role = typeof given === 'string' ? { label: given } : given;
  return { name, description: undefined, ...role, includes: ('includes' in role && role.includes) || [] };
}
