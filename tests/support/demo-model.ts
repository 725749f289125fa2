import {
  type App,
  columnsOf,
  demoApps,
  type EntityModel,
  type FieldModel,
  resolvePath,
  tablesOf,
} from '#apps';
import {
  type Column,
  type ColumnType,
  type EntityDescription,
  type EntityField,
  type ForeignKey,
  topicOf,
  type WarehouseTable,
  warehouseTableOf,
} from '#kernel';

export interface DemoModel {
  readonly tables: readonly WarehouseTable[];
  readonly entities: readonly EntityDescription[];
}

const SOURCE = 'business';

/** The demo's tables and entities as the semantic layer gets them, from the definitions alone: no database. */
export async function demoModel(): Promise<DemoModel> {
  const apps = await demoApps();
  return {
    tables: tablesOf(apps).map((table) => {
      const id = { source: SOURCE, schema: table.schema, table: table.name };
      const columns = table.columns.map(
        (column, index): Column => ({
          name: column.name,
          attnum: index + 1,
          type: typeOf(column.type),
          nullable: !column.notNull,
          fill: null,
          ...(column.comment === null ? {} : { comment: column.comment }),
        }),
      );
      return {
        ...warehouseTableOf(id),
        topic: topicOf(id),
        schema: {
          ...id,
          version: 1,
          columns,
          keyRule: 'primary-key',
          key: table.primaryKey,
          fullIdentity: false,
          ...(table.comment === null ? {} : { comment: table.comment }),
        },
        foreignKeys: table.constraints.flatMap(({ kind, definition }) =>
          kind === 'foreign' ? foreignKey(definition) : [],
        ),
      };
    }),
    entities: apps.flatMap((app) => app.entities.map((entity) => describe(app, entity))),
  };
}

const KINDS: Readonly<Record<string, ColumnType['kind']>> = {
  bigint: 'int8',
  integer: 'int4',
  boolean: 'bool',
  text: 'text',
  date: 'date',
  'timestamp with time zone': 'timestamptz',
  jsonb: 'json',
};

function typeOf(sourceType: string): ColumnType {
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(sourceType);
  if (numeric)
    return { kind: 'numeric', precision: Number(numeric[1]), scale: Number(numeric[2]), sourceType };
  if (sourceType === 'text[]')
    return { kind: 'array', element: { kind: 'text', sourceType: 'text' }, sourceType };
  const kind = KINDS[sourceType];
  if (kind === undefined || kind === 'array') throw new Error(`no kind for ${sourceType}`);
  return { kind, sourceType };
}

function foreignKey(definition: string): ForeignKey[] {
  const [, own, table, other] = /^FOREIGN KEY \((.*?)\) REFERENCES (\S+) \((.*?)\)/.exec(definition)!;
  const names = (list: string): string[] => list.split(', ').map((name) => name.replaceAll('"', ''));
  const to = `${SOURCE}.${table!.replaceAll('"', '')}`;
  return [{ columns: names(own!), to, toColumns: names(other!) }];
}

function describe(app: App, entity: EntityModel): EntityDescription {
  return {
    app: app.name,
    appLabel: app.label,
    name: entity.name,
    label: entity.label,
    plural: entity.plural,
    ...(entity.description === undefined ? {} : { description: entity.description }),
    schema: app.name,
    table: entity.name,
    ...(entity.titleField === null ? {} : { titleField: entity.titleField }),
    fields: entity.fields.flatMap((field) => fieldsOf(app, field)),
    ...(entity.states
      ? { states: { column: entity.states.field, names: entity.states.list.map(({ name }) => name) } }
      : {}),
    ...(entity.owner ? { parent: `${app.name}.${entity.owner.entity}` } : {}),
  };
}

const fieldsOf = (app: App, field: FieldModel): EntityField[] =>
  columnsOf(field).map((column) => ({
    column,
    label: field.label,
    type: field.type,
    ...(field.type === 'money' ? { format: 'currency', unit: field.currencyField } : {}),
    ...(field.description === undefined ? {} : { description: field.description }),
    ...(field.type === 'select'
      ? { options: Object.entries(field.options).map(([value, label]) => ({ value, label })) }
      : {}),
    ...(field.type === 'reference'
      ? { reference: Object.values(resolvePath(app.name, field.entity)).join('.') }
      : {}),
  }));
