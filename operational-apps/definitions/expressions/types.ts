import type { FieldModel } from '../field-model.ts';
import type { EntityModel } from '../model.ts';
import { resolvePath } from '../model.ts';

/** What an expression gives. Every type has NULL. */
export type Type =
  | { readonly kind: 'null' | 'boolean' | 'integer' | 'decimal' | 'date' | 'dateTime' | 'json' | 'address' }
  /** `options`: the values a select field or a state may have. */
  | { readonly kind: 'text' | 'list'; readonly options?: readonly string[] }
  /** Full names of the entities it may point to. */
  | { readonly kind: 'reference' | 'anyReference'; readonly entities: readonly string[] };

export const BOOLEAN: Type = { kind: 'boolean' };
export const INTEGER: Type = { kind: 'integer' };
export const DECIMAL: Type = { kind: 'decimal' };
export const TEXT: Type = { kind: 'text' };
export const DATE: Type = { kind: 'date' };
export const DATE_TIME: Type = { kind: 'dateTime' };
export const NULL: Type = { kind: 'null' };

export const isNumber = (type: Type): boolean => type.kind === 'integer' || type.kind === 'decimal';

/** For people: `text`, `reference to crm.account`. */
export function describeType(type: Type): string {
  if (type.kind === 'reference' || type.kind === 'anyReference')
    return `reference to ${type.entities.join(' or ')}`;
  return { list: 'list of texts', dateTime: 'date-time', null: 'null' }[type.kind as string] ?? type.kind;
}

export const SQL_TYPES: Readonly<Record<Exclude<Type['kind'], 'anyReference' | 'address' | 'null'>, string>> =
  {
    boolean: 'boolean',
    integer: 'bigint',
    decimal: 'numeric',
    text: 'text',
    date: 'date',
    dateTime: 'timestamptz',
    list: 'text[]',
    json: 'jsonb',
    reference: 'bigint',
  };

export const entityPathOf = (entity: EntityModel): string => `${entity.app}.${entity.name}`;

const full = (app: string, path: string): string => {
  const target = resolvePath(app, path);
  return `${target.app}.${target.entity}`;
};

/** Null for child tables: their rows are no value. `app` is the app the field is defined in. */
export function typeOfField(field: FieldModel, app: string): Type | null {
  switch (field.type) {
    case 'text':
    case 'email':
    case 'phone':
    case 'url':
    case 'richText':
      return TEXT;
    case 'select':
      return { kind: 'text', options: Object.keys(field.options) };
    case 'multiSelect':
      return { kind: 'list', options: Object.keys(field.options) };
    case 'decimal':
    case 'money':
      return DECIMAL;
    case 'file':
      return { kind: 'json' };
    case 'reference':
      return { kind: 'reference', entities: [full(app, field.entity)] };
    case 'anyReference':
      return { kind: 'anyReference', entities: field.entities.map((path) => full(app, path)) };
    case 'childTable':
      return null;
    default:
      return { kind: field.type };
  }
}
