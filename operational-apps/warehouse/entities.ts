import type { EntityDescription, EntityField } from '#kernel';
import type { App, EntityModel, FieldModel } from '../definitions/index.ts';
import { createCatalogue, type EntityInfo, type FieldInfo } from '../runtime/model/catalogue.ts';

/** Entities of the apps as the warehouse's models need them, one for each table, in the order of definition. */
export function describeEntities(apps: readonly App[]): EntityDescription[] {
  const { entities } = createCatalogue(apps);
  return [...entities.values()].map((entity) =>
    describeEntity(apps.find(({ name }) => name === entity.model.app)!, entity),
  );
}

function describeEntity(app: App, entity: EntityInfo): EntityDescription {
  const { model } = entity;
  const title = entity.titleField === undefined ? undefined : entity.fields.get(entity.titleField);
  return {
    app: app.name,
    appLabel: app.label,
    name: model.name,
    label: model.label,
    plural: model.plural,
    ...(model.description === undefined ? {} : { description: model.description }),
    schema: app.name,
    table: model.name,
    ...(title?.columns.length === 1 ? { titleField: title.columns[0]! } : {}),
    fields: [...entity.fields.values()].flatMap((field) => describeField(field, model)),
    ...(model.states
      ? { states: { column: model.states.field, names: model.states.list.map((state) => state.name) } }
      : {}),
    ...(entity.parent ? { parent: entity.parent.path } : {}),
  };
}

/** One for each column: an address has five, a child table none. */
function describeField(field: FieldInfo, entity: EntityModel): EntityField[] {
  const { model } = field;
  const common = {
    type: typeOf(field, entity),
    ...(model?.description === undefined ? {} : { description: model.description }),
  };
  if (field.kind === 'childTable') return [];
  if (field.columns.length > 1) return parts(field, common);
  return [
    {
      ...common,
      column: field.columns[0]!,
      label: field.label,
      ...formatOf(model),
      ...optionsOf(field, entity),
      ...(field.kind === 'reference' ? { reference: field.entities[0]! } : {}),
    },
  ];
}

function parts(field: FieldInfo, common: { type: string; description?: string }): EntityField[] {
  return field.columns.map((column) => ({
    ...common,
    column,
    type: field.kind === 'anyReference' && column === field.columns[1] ? 'integer' : 'text',
    label: `${field.label}: ${column.slice(field.name.length + 1).replaceAll('_', ' ')}`,
    ...(field.kind === 'anyReference' && column === field.columns[0]
      ? { options: field.entities.map((path) => ({ value: path, label: path })) }
      : {}),
  }));
}

/** As the definition says; for fields every record has, the type a definition would give them. */
function typeOf(field: FieldInfo, entity: EntityModel): string {
  if (field.model) return field.model.type;
  if (field.name === entity.states?.field) return 'select';
  return field.kind === 'id' ? 'integer' : field.kind;
}

function formatOf(model: FieldModel | undefined): { format?: string; unit?: string } {
  if (model?.type === 'money')
    return {
      format: 'currency',
      ...unitOf(model.currency ?? model.currencyField),
    };
  return {};
}

/** A currency, or the column in which the row's stands. */
const unitOf = (unit: string | undefined): { unit?: string } => (unit === undefined ? {} : { unit });

function optionsOf(field: FieldInfo, entity: EntityModel): { options?: EntityField['options'] } {
  if (field.model?.type === 'select' || field.model?.type === 'multiSelect')
    return { options: Object.entries(field.model.options).map(([value, label]) => ({ value, label })) };
  if (!field.model && entity.states && field.name === entity.states.field)
    return { options: entity.states.list.map(({ name, label }) => ({ value: name, label })) };
  return {};
}
