import {
  chIdent,
  chLiteral,
  chTable,
  HubError,
  snapshotVersion,
  type TableSchema,
  warehouseTableOf,
} from '#kernel';
import { canBeOdd } from '../types/index.ts';
import { keyColumns, stateOf, tableComment, wantedColumns, warehouseColumn } from './model.ts';

/** What differs between one server and a cluster. */
export interface Layout {
  readonly engine: (versionColumn: string, deletedColumn: string) => string;
  /** Cluster name for ON CLUSTER. */
  readonly cluster?: string;
}

export const singleServer: Layout = {
  engine: (version, deleted) => `ReplacingMergeTree(${version}, ${deleted})`,
};

export const onCluster = (layout: Layout): string =>
  layout.cluster === undefined ? '' : ` ON CLUSTER ${chIdent(layout.cluster)}`;

export const createDatabase = (name: string, layout = singleServer): string =>
  `CREATE DATABASE IF NOT EXISTS ${chIdent(name)}${onCluster(layout)}`;

/** Table names derived from a warehouse table. */
export const asideName = (table: string, generation: number): string => `${table}__g${generation}`;
export const historyName = (table: string): string => `${table}__history`;

/** Sorting key: the row's key; where odd values share a typed value, their exact text as well. */
function sortingKey(schema: TableSchema): { primary: string; order: string } {
  const key = keyColumns(schema);
  if (key.length === 0) {
    throw new HubError('TABLE_WITHOUT_KEY', `Table ${schema.schema}.${schema.table} has no key.`, {
      next: 'Give it a primary key or set REPLICA IDENTITY FULL.',
      disposition: 'user',
    });
  }
  const names = key.map((column) => chIdent(warehouseColumn(column.name)));
  const exact = key
    .filter((column) => canBeOdd(column.type))
    .map((column) => `_raw[${chLiteral(column.name)}]`);
  return { primary: names.join(', '), order: [...names, ...exact].join(', ') };
}

const SETTINGS = 'allow_nullable_key = 1';

function columnLines(schema: TableSchema): string[] {
  return wantedColumns(schema).map(
    (column) =>
      `  ${chIdent(column.name)} ${column.type}${column.comment === '' ? '' : ` COMMENT ${chLiteral(column.comment)}`}`,
  );
}

/**
 * CREATE TABLE of a captured table in one generation. Rows of an older generation are refused by a
 * constraint: a writer that has not yet seen the table being replaced cannot bring old rows back.
 */
export function createTable(
  schema: TableSchema,
  generation: number,
  table = warehouseTableOf(schema).table,
  layout: Layout = singleServer,
): string {
  const { database } = warehouseTableOf(schema);
  const { primary, order } = sortingKey(schema);
  const first = snapshotVersion(generation);
  return [
    `CREATE TABLE IF NOT EXISTS ${chTable(database, table)}${onCluster(layout)} (`,
    [
      ...columnLines(schema),
      "  _raw Map(String, String) COMMENT 'Exact source text of values their column cannot hold'",
      `  _version UInt64 DEFAULT ${first} COMMENT 'Order of changes: generation and position in the source'`,
      "  _deleted UInt8 DEFAULT 0 COMMENT '1 = the row was deleted at the source'",
      "  _committed_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'Commit time at the source; snapshot rows: time of loading'",
      `  CONSTRAINT generation CHECK _version >= ${first}`,
    ].join(',\n'),
    ')',
    `ENGINE = ${layout.engine('_version', '_deleted')}`,
    `PRIMARY KEY (${primary})`,
    `ORDER BY (${order})`,
    `SETTINGS ${SETTINGS}`,
    `COMMENT ${chLiteral(tableComment(stateOf(schema, generation)))}`,
  ].join('\n');
}

/**
 * CREATE TABLE of a table's history: every version of every row once, however often it is delivered.
 * As of a moment T: `SELECT * FROM (SELECT * FROM t__history FINAL WHERE _committed_at <= T ORDER BY
 * _version DESC LIMIT 1 BY <key>) WHERE _deleted = 0`.
 */
export function createHistory(
  schema: TableSchema,
  generation: number,
  layout: Layout = singleServer,
): string {
  const { database, table } = warehouseTableOf(schema);
  const { primary, order } = sortingKey(schema);
  return [
    `CREATE TABLE IF NOT EXISTS ${chTable(database, historyName(table))}${onCluster(layout)} (`,
    [
      ...columnLines(schema),
      '  _raw Map(String, String)',
      '  _version UInt64',
      '  _deleted UInt8',
      "  _committed_at DateTime64(6, 'UTC')",
    ].join(',\n'),
    ')',
    'ENGINE = ReplacingMergeTree',
    `PRIMARY KEY (${primary})`,
    `ORDER BY (${order}, _version, _deleted)`,
    `SETTINGS ${SETTINGS}`,
    `COMMENT ${chLiteral(tableComment(stateOf(schema, generation)))}`,
  ].join('\n');
}
