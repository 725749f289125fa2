import type { Field } from './fields.ts';
import type { AppDefinition, Entity, Numbering, States } from './schema.ts';

/** A field with its name and the label people see. */
export type FieldModel = Field & { readonly name: string; readonly label: string };

/** An entity, its names filled in and its place in the app known. */
export interface EntityModel {
  readonly app: string;
  readonly name: string;
  readonly label: string;
  readonly plural: string;
  readonly description: string | undefined;
  /** Field shown for a row; the numbering's field if none was named; null only for child entities. */
  readonly titleField: string | null;
  readonly searchFields: readonly string[];
  /** Groups of fields whose values together are unique (per tenant). */
  readonly unique: readonly (readonly string[])[];
  readonly tenantScoped: boolean;
  readonly numbering: Numbering | undefined;
  readonly states: States | undefined;
  readonly renamedFrom: string | undefined;
  readonly fields: readonly FieldModel[];
  /** For the rows of a child table: the entity that owns them and the field that shows them there. */
  readonly owner: { readonly entity: string; readonly field: string } | null;
}

/** One checked app. */
export interface App {
  readonly file: string;
  readonly name: string;
  readonly label: string;
  readonly description: string | undefined;
  readonly entities: readonly EntityModel[];
}

/** Columns every table has; no field may take their names. `tenant_id` only where rows belong to a tenant. */
export const SYSTEM_COLUMNS = [
  'id',
  'tenant_id',
  'created_at',
  'updated_at',
  'created_by',
  'version',
] as const;

/** Table in each app's schema with the last number given out per tenant and series. */
export const NUMBERING_TABLE = 'numbering_series';

const humanise = (name: string): string => {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** `crm.account` or `account`, seen from an app. */
export function resolvePath(app: string, path: string): { app: string; entity: string } {
  const [first, second] = path.split('.');
  return second === undefined ? { app, entity: first! } : { app: first!, entity: second };
}

/** Columns a field has in its table. A child table has none: its rows point to the parent. */
export function columnsOf(field: FieldModel): string[] {
  switch (field.type) {
    case 'reference':
      return [`${field.name}_id`];
    case 'anyReference':
      return [`${field.name}_type`, `${field.name}_id`];
    case 'address':
      return ADDRESS_PARTS.map((part) => `${field.name}_${part}`);
    case 'childTable':
      return [];
    default:
      return [field.name];
  }
}

export const ADDRESS_PARTS = ['street', 'city', 'region', 'postal_code', 'country'] as const;

export function toApp(file: string, definition: AppDefinition): App {
  const owners = new Map<string, { entity: string; field: string }>();
  for (const [entity, { fields }] of Object.entries(definition.entities)) {
    for (const [field, { type, ...rest }] of Object.entries(fields)) {
      if (type === 'childTable' && 'entity' in rest) owners.set(String(rest.entity), { entity, field });
    }
  }
  return {
    file,
    name: definition.app.name,
    label: definition.app.label,
    description: definition.app.description,
    entities: Object.entries(definition.entities).map(([name, entity]) =>
      toEntity(definition.app.name, name, entity, owners.get(name) ?? null),
    ),
  };
}

function toEntity(app: string, name: string, entity: Entity, owner: EntityModel['owner']): EntityModel {
  const label = entity.label ?? humanise(name);
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
    states: entity.states,
    renamedFrom: entity.renamedFrom,
    owner,
    fields: Object.entries(entity.fields).map(([fieldName, field]) => ({
      ...field,
      name: fieldName,
      label: field.label ?? humanise(fieldName),
    })),
  };
}
