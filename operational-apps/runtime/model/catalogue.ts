import { pgIdent, pgTable } from '#kernel';
import {
  AMENDED_FROM,
  type App,
  columnsOf,
  type EntityModel,
  type FieldModel,
  resolvePath,
} from '../../definitions/index.ts';
import { problem } from './problem.ts';

/** How a field's value is stored and shown; the system's own fields have a kind like any other. */
export type Kind =
  | 'id'
  | 'text'
  | 'email'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'date'
  | 'dateTime'
  | 'select'
  | 'multiSelect'
  | 'address'
  | 'json'
  | 'reference'
  | 'anyReference'
  | 'childTable';

/** A field as the engine sees it, system fields included. */
export interface FieldInfo {
  readonly name: string;
  readonly label: string;
  readonly kind: Kind;
  readonly columns: readonly string[];
  /** As SQL casts to it, of the first column. */
  readonly sqlType: string;
  /** The definition; undefined for system fields, the state, the number, and a child's parent. */
  readonly model: FieldModel | undefined;
  /** Full names of the entities it points to (reference, anyReference) or holds (childTable). */
  readonly entities: readonly string[];
  /** select, multiSelect: stored values. */
  readonly options: readonly string[] | undefined;
  readonly nullable: boolean;
  /** Not written by anybody: id, version, times, number, state, computed. */
  readonly fixed: boolean;
}

export interface EntityInfo {
  /** `crm.account` */
  readonly path: string;
  readonly model: EntityModel;
  /** Quoted. */
  readonly table: string;
  readonly fields: ReadonlyMap<string, FieldInfo>;
  readonly tenantScoped: boolean;
  /** For the rows of a child table: the owning entity's path, and the field and column that point to it. */
  readonly parent:
    | { readonly path: string; readonly field: string; readonly column: string; readonly childField: string }
    | undefined;
  readonly titleField: string | undefined;
}

export interface Catalogue {
  readonly apps: readonly App[];
  readonly entities: ReadonlyMap<string, EntityInfo>;
  /** ENTITY_UNKNOWN (user) if there is none. */
  entity(path: string): EntityInfo;
  /** Fields of other entities that point to this one. */
  readonly references: ReadonlyMap<
    string,
    readonly { readonly entity: EntityInfo; readonly field: FieldInfo }[]
  >;
}

export function createCatalogue(apps: readonly App[]): Catalogue {
  const entities = new Map<string, EntityInfo>();
  for (const app of apps)
    for (const model of app.entities) entities.set(`${app.name}.${model.name}`, toEntity(model));
  const references = new Map<string, { entity: EntityInfo; field: FieldInfo }[]>();
  for (const entity of entities.values())
    for (const field of entity.fields.values())
      if (field.kind === 'reference' || field.kind === 'anyReference')
        for (const to of field.entities) {
          const list = references.get(to) ?? [];
          list.push({ entity, field });
          references.set(to, list);
        }
  return {
    apps,
    entities,
    references,
    entity(path) {
      const found = entities.get(path);
      if (!found) throw problem('ENTITY_UNKNOWN', `There is no entity \`${path.slice(0, 100)}\`.`);
      return found;
    },
  };
}

function toEntity(model: EntityModel): EntityInfo {
  const fields = new Map<string, FieldInfo>();
  const add = (field: FieldInfo): void => void fields.set(field.name, field);
  const system = (
    name: string,
    label: string,
    kind: Kind,
    sqlType: string,
    rest: Partial<FieldInfo> = {},
  ): void =>
    add({
      name,
      label,
      kind,
      columns: [name],
      sqlType,
      model: undefined,
      entities: [],
      options: undefined,
      nullable: false,
      fixed: true,
      ...rest,
    });
  system('id', 'Key', 'id', 'bigint');
  const parent = model.owner
    ? {
        path: `${model.app}.${model.owner.entity}`,
        field: model.owner.entity,
        column: `${model.owner.entity}_id`,
        childField: model.owner.field,
      }
    : undefined;
  if (parent) {
    system(parent.field, 'Parent', 'reference', 'bigint', {
      columns: [parent.column],
      entities: [parent.path],
      fixed: false,
    });
    system('position', 'Position', 'integer', 'integer', { fixed: false });
  }
  if (model.numbering) system(model.numbering.field, 'Number', 'text', 'text');
  if (model.states)
    system(model.states.field, 'State', 'select', 'text', {
      options: model.states.list.map((state) => state.name),
    });
  for (const field of model.fields) add(toField(field, model.app));
  if (model.submittable)
    system('amended_from', 'Amended from', 'reference', 'bigint', {
      columns: [AMENDED_FROM],
      entities: [`${model.app}.${model.name}`],
      nullable: true,
    });
  system('created_at', 'Created', 'dateTime', 'timestamptz');
  system('updated_at', 'Changed', 'dateTime', 'timestamptz');
  system('created_by', 'Created by', 'text', 'text');
  system('version', 'Version', 'integer', 'integer');
  return {
    path: `${model.app}.${model.name}`,
    model,
    table: pgTable(model.app, model.name),
    fields,
    tenantScoped: model.tenantScoped,
    parent,
    titleField: model.titleField ?? undefined,
  };
}

/** What is asked of a person for an operation, as if it were a record to be made. */
export function inputEntity(entity: EntityInfo, fields: readonly FieldModel[]): EntityInfo {
  return {
    ...entity,
    parent: undefined,
    fields: new Map(fields.map((field) => [field.name, toField(field, entity.model.app)])),
  };
}

function toField(model: FieldModel, app: string): FieldInfo {
  const full = (path: string): string => {
    const { app: toApp, entity } = resolvePath(app, path);
    return `${toApp}.${entity}`;
  };
  const entities =
    model.type === 'reference' || model.type === 'childTable'
      ? [full(model.entity)]
      : model.type === 'anyReference'
        ? model.entities.map(full)
        : [];
  return {
    name: model.name,
    label: model.label,
    kind: kindOf(model),
    columns: columnsOf(model),
    sqlType: sqlTypeOf(model),
    model,
    entities,
    options: model.type === 'select' || model.type === 'multiSelect' ? Object.keys(model.options) : undefined,
    nullable: !('required' in model && model.required === true),
    fixed: 'computed' in model && model.computed !== undefined,
  };
}

function kindOf(field: FieldModel): Kind {
  switch (field.type) {
    case 'text':
    case 'richText':
    case 'phone':
    case 'url':
      return 'text';
    case 'decimal':
    case 'money':
      return 'number';
    case 'json':
    case 'file':
      return 'json';
    default:
      return field.type;
  }
}

/** Database type of a field's column. */
export function sqlTypeOf(field: FieldModel): string {
  switch (field.type) {
    case 'integer':
    case 'reference':
      return 'bigint';
    case 'decimal':
      return `numeric(${field.precision},${field.scale})`;
    case 'money':
      return `numeric(18,${field.scale ?? 2})`;
    case 'boolean':
      return 'boolean';
    case 'date':
      return 'date';
    case 'dateTime':
      return 'timestamptz';
    case 'multiSelect':
      return 'text[]';
    case 'json':
    case 'file':
      return 'jsonb';
    default:
      return 'text';
  }
}

/** `t."owner_id"` */
export const columnSql = (alias: string, column: string): string => `${alias}.${pgIdent(column)}`;

/** FIELD_UNKNOWN (user) if the entity has no such field. */
export function fieldOf(entity: EntityInfo, name: string, path = name): FieldInfo {
  const field = entity.fields.get(name);
  if (!field) throw problem('FIELD_UNKNOWN', `${entity.path} has no field \`${name.slice(0, 100)}\`.`, path);
  return field;
}
