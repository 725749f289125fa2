import { type App, demoApps, describeEntities, tablesOf } from '#apps';
import {
  type Column,
  type ColumnType,
  type EntityDescription,
  type ForeignKey,
  topicOf,
  type WarehouseTable,
  warehouseTableOf,
} from '#kernel';

export interface DemoModel {
  readonly apps: readonly App[];
  readonly tables: readonly WarehouseTable[];
  readonly entities: readonly EntityDescription[];
}

const SOURCE = 'business';

/** The demo's tables and entities as the semantic layer gets them, from the definitions alone: no database. */
export async function demoModel(): Promise<DemoModel> {
  const apps = await demoApps();
  return {
    apps,
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
    entities: describeEntities(apps),
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
