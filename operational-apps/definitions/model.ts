import type { FieldModel } from './field-model.ts';
import type { ActionModel, AutomationModel, CheckModel, StatesModel } from './model-behaviour.ts';
import type { Numbering, Submittable } from './schema/life.ts';
import type { Operation } from './schema/permissions.ts';
import type { View } from './schema/views.ts';

/** What some roles may do with an entity. A principal has the union of the rules of its roles. */
export interface PermissionModel {
  readonly roles: readonly string[];
  /** `all` written out. */
  readonly can: readonly Operation[];
  /** Row predicate as expression; undefined = all rows of the tenant. */
  readonly where: string | undefined;
  readonly hide: readonly string[];
  readonly mask: readonly string[];
  readonly readonly: readonly string[];
  /** Fields whose `level` is higher are not for this rule. */
  readonly level: number;
}

/** A role as one app declares it; the roles of all apps are one set. */
export interface RoleModel {
  readonly name: string;
  readonly label: string;
  readonly description: string | undefined;
  readonly includes: readonly string[];
}

/** A view, its label filled in. */
export type ViewModel = View & { readonly label: string };

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
  readonly states: StatesModel | undefined;
  readonly submittable: Submittable | undefined;
  readonly comments: boolean;
  readonly attachments: boolean;
  /** Its own, else its app's; empty = nobody but owner and admin. */
  readonly permissions: readonly PermissionModel[];
  readonly checks: readonly CheckModel[];
  readonly actions: readonly ActionModel[];
  readonly automations: readonly AutomationModel[];
  readonly views: readonly ViewModel[];
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
  readonly roles: readonly RoleModel[];
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

/** Column of submittable entities: the cancelled document of which this one is the amendment. */
export const AMENDED_FROM = 'amended_from_id';

/** Table in each app's schema with the last number given out per tenant and series. */
export const NUMBERING_TABLE = 'numbering_series';

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
