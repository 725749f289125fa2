import { pgIdent, pgLiteral, pgTable } from '#kernel';
import {
  AMENDED_FROM,
  type App,
  type Apps,
  byName,
  columnsOf,
  type EntityModel,
  NUMBERING_TABLE,
  resolvePath,
} from '../definitions/index.ts';
import { fieldChecks, fieldColumns, inList, USER_DEFAULT } from './columns.ts';
import { computedColumns } from './computed.ts';
import { entityIndexes, searchIndexes } from './indexes.ts';
import { named as rule } from './names.ts';
import { effectsPolicies, entityPolicies } from './policies.ts';
import { entityRules } from './rules.ts';
import type { ColumnModel, ConstraintModel, TableModel } from './table-model.ts';

const column = (name: string, type: string, rest: Partial<ColumnModel> = {}): ColumnModel => ({
  name,
  type,
  notNull: true,
  default: null,
  comment: null,
  ...rest,
});

/** The tables the apps need, all of them, in name order. `trigrams`: schema of pg_trgm, null without it. */
export function tablesOf(apps: readonly App[], trigrams: string | null = null): TableModel[] {
  const named = byName(apps);
  const referenced = referencedEntities(apps);
  return apps.flatMap((app) => [
    ...app.entities.map((entity) => entityTable(entity, apps, named, referenced, trigrams)),
    ...(app.entities.some((entity) => entity.numbering) ? [numberingTable(app.name)] : []),
  ]);
}

function entityTable(
  entity: EntityModel,
  apps: readonly App[],
  named: Apps,
  referenced: ReadonlySet<string>,
  trigrams: string | null,
): TableModel {
  const { app: schema, name } = entity;
  const computed = computedColumns(named, entity);
  const tenant = entity.tenantScoped ? ['tenant_id'] : [];
  const owner = entity.owner ? `${entity.owner.entity}_id` : null;
  const columns: ColumnModel[] = [
    column('id', 'bigint', { identity: true, comment: 'Key, unique over all tenants.' }),
    ...(entity.tenantScoped ? [column('tenant_id', 'text', { comment: 'Tenant the row belongs to.' })] : []),
    ...(owner
      ? [column(owner, 'bigint'), column('position', 'integer', { comment: 'Place in the parent, from 1.' })]
      : []),
    ...(entity.numbering ? [column(entity.numbering.field, 'text', { comment: 'Running number.' })] : []),
    ...(entity.states
      ? [
          column(entity.states.field, 'text', {
            default: `${pgLiteral(entity.states.initial)}::text`,
            comment: 'State.',
          }),
        ]
      : []),
    ...entity.fields.flatMap(fieldColumns).map((one) => ({ ...one, ...computed.columns.get(one.name) })),
    ...(entity.submittable
      ? [
          column(AMENDED_FROM, 'bigint', {
            notNull: false,
            comment: 'The cancelled document this one amends.',
          }),
        ]
      : []),
    column('created_at', 'timestamp with time zone', { default: 'now()' }),
    column('updated_at', 'timestamp with time zone', { default: 'now()' }),
    column('created_by', 'text', { default: USER_DEFAULT }),
    column('version', 'integer', { default: '1', comment: 'Grows with each update: optimistic locking.' }),
  ];
  const constraints: ConstraintModel[] = [...computed.constraints];
  const unique = (columns: readonly string[]): void => {
    constraints.push(rule(name, columns.join('_'), 'unique', `UNIQUE (${columns.map(pgIdent).join(', ')})`));
  };
  const check = (label: string, sql: string): void => {
    constraints.push(rule(name, label, 'check', `CHECK (${sql})`));
  };
  const foreign = (from: string, to: EntityModel, cascade: boolean): void => {
    const local = to.tenantScoped ? ['tenant_id', from] : [from];
    const remote = to.tenantScoped ? ['tenant_id', 'id'] : ['id'];
    const sql = `FOREIGN KEY (${local.map(pgIdent).join(', ')}) REFERENCES ${pgTable(to.app, to.name)} (${remote.map(pgIdent).join(', ')})`;
    constraints.push(rule(name, from, 'foreign', cascade ? `${sql} ON DELETE CASCADE` : sql));
  };

  if (entity.tenantScoped && referenced.has(`${schema}.${name}`)) unique(['tenant_id', 'id']);
  if (owner && entity.owner) {
    foreign(owner, find(apps, schema, entity.owner.entity), true);
  }
  if (entity.numbering) unique([...tenant, entity.numbering.field]);
  if (entity.states) {
    const { field, list } = entity.states;
    check(
      field,
      inList(
        field,
        list.map((state) => state.name),
      ),
    );
  }
  if (entity.submittable) foreign(AMENDED_FROM, entity, false);
  for (const group of entity.unique) {
    const fields = group.map((one) => entity.fields.find((field) => field.name === one)!);
    unique([...tenant, ...fields.flatMap(columnsOf)]);
  }
  for (const field of entity.fields) {
    for (const [label, sql] of fieldChecks(field)) check(label, sql);
    const columns = columnsOf(field);
    if (field.type === 'reference') {
      const { app: toApp, entity: to } = resolvePath(schema, field.entity);
      foreign(columns[0]!, find(apps, toApp, to), false);
    }
    if ('unique' in field && field.unique) unique([...tenant, ...columns]);
  }
  for (const [label, sql] of entityRules(named, entity)) check(label, sql);
  return {
    schema,
    name,
    renamedFrom: entity.renamedFrom,
    columns,
    primaryKey: ['id'],
    constraints,
    indexes: [...entityIndexes(named, entity), ...(trigrams === null ? [] : searchIndexes(entity, trigrams))],
    comment: entity.description ?? null,
    numbering: entity.numbering,
    tenantScoped: entity.tenantScoped,
    policies: entityPolicies(named, entity),
    access: 'all',
  };
}

const numberingTable = (schema: string): TableModel => ({
  schema,
  name: NUMBERING_TABLE,
  columns: [column('tenant_id', 'text'), column('series', 'text'), column('last_value', 'bigint')],
  primaryKey: ['tenant_id', 'series'],
  constraints: [],
  indexes: [],
  comment: 'Last number given out, per tenant and entity.',
  tenantScoped: false,
  policies: effectsPolicies(),
  access: 'effects',
});

function find(apps: readonly App[], app: string, entity: string): EntityModel {
  return apps.find((one) => one.name === app)!.entities.find((one) => one.name === entity)!;
}

function referencedEntities(apps: readonly App[]): Set<string> {
  const found = new Set<string>();
  for (const app of apps)
    for (const entity of app.entities) {
      if (entity.submittable) found.add(`${app.name}.${entity.name}`);
      if (entity.owner) found.add(`${app.name}.${entity.owner.entity}`);
      for (const field of entity.fields)
        if (field.type === 'reference') {
          const { app: toApp, entity: to } = resolvePath(app.name, field.entity);
          found.add(`${toApp}.${to}`);
        }
    }
  return found;
}
