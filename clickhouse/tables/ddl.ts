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
import { type Layout, singleServer } from './layout.ts';
import {
  type AppliedTable,
  keyColumns,
  stateOf,
  tableComment,
  wantedColumns,
  warehouseColumn,
} from './model.ts';
import { shardingKey } from './shards.ts';

export const createDatabase = (name: string, layout = singleServer): string =>
  `CREATE DATABASE IF NOT EXISTS ${chIdent(name)}${layout.onCluster}`;

export const dropTable = (database: string, table: string, layout = singleServer): string =>
  `DROP TABLE IF EXISTS ${chTable(database, table)}${layout.onCluster} SYNC`;

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

const commentClause = (comment: string): string => (comment === '' ? '' : ` COMMENT ${chLiteral(comment)}`);

const columnLines = (columns: AppliedTable['columns']): string[] =>
  columns.map(({ name, type, comment }) => `  ${chIdent(name)} ${type}${commentClause(comment)}`);

const VERSION_COMMENT = 'Order of changes: generation and position in the source';

/** The state's place, and what stands in the other: see `tableComment`. */
function comments(layout: Layout, state: string, plain: string): { table: string; version: string } {
  return layout.cluster === null
    ? { table: state, version: plain }
    : { table: 'Rows of one shard', version: state };
}

/**
 * CREATE TABLE of a captured table's rows in one generation. Rows of an older generation are refused by a
 * constraint: a writer that has not yet seen the table being replaced cannot bring old rows back.
 * `table`: default is the name the layout gives the live one.
 */
export function createTable(
  schema: TableSchema,
  generation: number,
  table?: string,
  layout: Layout = singleServer,
  shards = 1,
): string {
  const id = warehouseTableOf(schema);
  const { primary, order } = sortingKey(schema);
  const first = snapshotVersion(generation);
  const comment = comments(layout, tableComment(stateOf(schema, generation, shards)), VERSION_COMMENT);
  return [
    `CREATE TABLE IF NOT EXISTS ${chTable(id.database, table ?? layout.stored(id.table, generation))}${layout.onCluster} (`,
    [
      ...columnLines(wantedColumns(schema)),
      "  _raw Map(String, String) COMMENT 'Exact source text of values their column cannot hold'",
      `  _version UInt64 DEFAULT ${first} COMMENT ${chLiteral(comment.version)}`,
      "  _deleted UInt8 DEFAULT 0 COMMENT '1 = the row was deleted at the source'",
      "  _committed_at DateTime64(6, 'UTC') DEFAULT now64(6) COMMENT 'Commit time at the source; snapshot rows: time of loading'",
      `  CONSTRAINT generation CHECK _version >= ${first}`,
    ].join(',\n'),
    ')',
    `ENGINE = ${layout.engine('_version', '_deleted')}`,
    `PRIMARY KEY (${primary})`,
    `ORDER BY (${order})`,
    layout.settings,
    `COMMENT ${chLiteral(comment.table)}`,
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
  shards = 1,
): string {
  const { database, table } = warehouseTableOf(schema);
  const { primary, order } = sortingKey(schema);
  const comment = comments(layout, tableComment(stateOf(schema, generation, shards)), '');
  return [
    `CREATE TABLE IF NOT EXISTS ${chTable(database, layout.storedHistory(table))}${layout.onCluster} (`,
    [
      ...columnLines(wantedColumns(schema)),
      '  _raw Map(String, String)',
      `  _version UInt64${commentClause(comment.version)}`,
      '  _deleted UInt8',
      "  _committed_at DateTime64(6, 'UTC')",
    ].join(',\n'),
    ')',
    `ENGINE = ${layout.engine()}`,
    `PRIMARY KEY (${primary})`,
    `ORDER BY (${order}, _version, _deleted)`,
    layout.settings,
    `COMMENT ${chLiteral(comment.table)}`,
  ].join('\n');
}

/**
 * The table that people read in a cluster: takes the place of the one before it in one step on each
 * server, so that a query sees one generation whole. Can be repeated.
 */
export function createReader(applied: AppliedTable, layout: Layout): string {
  const { database, table, stored } = applied;
  const target = [layout.cluster?.name ?? '', database, stored].map(chLiteral).join(', ');
  return [
    `CREATE OR REPLACE TABLE ${chTable(database, table)}${layout.onCluster} (`,
    [
      ...columnLines(applied.columns),
      '  _raw Map(String, String)',
      `  _version UInt64 COMMENT ${chLiteral(VERSION_COMMENT)}`,
      '  _deleted UInt8',
      "  _committed_at DateTime64(6, 'UTC')",
    ].join(',\n'),
    ')',
    `ENGINE = Distributed(${target}, ${shardingKey(applied)})`,
    `COMMENT ${chLiteral(commentOf(applied))}`,
  ].join('\n');
}

export const commentOf = (table: AppliedTable): string =>
  tableComment({
    generation: table.generation,
    version: table.version,
    ...(table.towards === undefined ? {} : { towards: table.towards }),
    key: [...table.key],
    columns: Object.fromEntries(table.columns.map((column) => [column.name, column.attnum])),
    ...(table.comment === '' ? {} : { comment: table.comment }),
    ...(table.shards === 1 ? {} : { shards: table.shards }),
  });
