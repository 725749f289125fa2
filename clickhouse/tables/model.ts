import { z } from 'zod';
import { type Column, HubError, type TableSchema } from '#kernel';
import { warehouseTypeOf } from '../types/index.ts';

/** Columns the hub adds behind the source's own. */
export const SYSTEM_COLUMNS = ['_raw', '_version', '_deleted', '_committed_at'] as const;

const RESERVED = new Set<string>(SYSTEM_COLUMNS);

/** A source column that is called like one of the hub's own gets an underscore behind. */
export const warehouseColumn = (name: string): string => (RESERVED.has(name) ? `${name}_` : name);

/** A column of a table as it is in ClickHouse now. */
export interface AppliedColumn {
  readonly attnum: number;
  /** Name in ClickHouse. */
  readonly name: string;
  /** Type as ClickHouse prints it. */
  readonly type: string;
  readonly comment: string;
}

export const isNullable = (type: string): boolean => /^(LowCardinality\()?Nullable\(/.test(type);

/** What a warehouse table is, recovered from ClickHouse alone. */
export interface AppliedTable {
  readonly database: string;
  /** Name that people read. */
  readonly table: string;
  /** Table that holds the rows: the same, or in a cluster the one behind it. */
  readonly stored: string;
  /** Over how many shards its rows are spread; of a cluster that has grown since, the first ones. */
  readonly shards: number;
  readonly generation: number;
  /** `TableSchema.version` whose shape it has. */
  readonly version: number;
  /** Set while it is on the way to another version's shape: nothing is written before it is there. */
  readonly towards?: number;
  /** By attnum. */
  readonly columns: readonly AppliedColumn[];
  /** Attnums in sorting order. */
  readonly key: readonly number[];
  readonly comment: string;
}

const stateSchema = z.object({
  bac: z.literal(1),
  generation: z.number().int(),
  version: z.number().int(),
  towards: z.number().int().optional(),
  key: z.array(z.number().int()),
  columns: z.record(z.string(), z.number().int()),
  comment: z.string().optional(),
  /** Absent = 1. */
  shards: z.number().int().min(2).optional(),
});

export type TableState = z.infer<typeof stateSchema>;

/**
 * A table's comment holds its state: each ALTER changes structure and comment in one statement, so
 * that after a crash at any point the comment says which attribute every column is. In a cluster it is
 * the comment of column `_version`: replication carries columns' comments, but not the table's.
 */
export const tableComment = (state: Omit<TableState, 'bac'>): string => JSON.stringify({ bac: 1, ...state });

/** Null when the comment is not the hub's: the table is somebody else's. */
export function parseComment(comment: string): TableState | null {
  let json: unknown;
  try {
    json = JSON.parse(comment);
  } catch {
    return null;
  }
  const result = stateSchema.safeParse(json);
  return result.success ? result.data : null;
}

/** The shape a schema version wants, in attnum order. */
export const wantedColumns = (schema: TableSchema): AppliedColumn[] =>
  schema.columns
    .map((column) => ({
      attnum: column.attnum,
      name: warehouseColumn(column.name),
      type: warehouseTypeOf(column),
      comment: column.comment ?? '',
    }))
    .sort((a, b) => a.attnum - b.attnum);

export function keyColumns(schema: TableSchema): Column[] {
  return schema.key.map((name) => {
    const column = schema.columns.find((candidate) => candidate.name === name);
    if (column === undefined) {
      throw new HubError(
        'SCHEMA_INVALID',
        `Key column ${name} of ${schema.schema}.${schema.table} is not among its columns.`,
      );
    }
    return column;
  });
}

export const stateOf = (schema: TableSchema, generation: number, shards = 1): Omit<TableState, 'bac'> => ({
  generation,
  version: schema.version,
  key: keyColumns(schema).map((column) => column.attnum),
  columns: Object.fromEntries(wantedColumns(schema).map((column) => [column.name, column.attnum])),
  ...(schema.comment === undefined ? {} : { comment: schema.comment }),
  ...(shards === 1 ? {} : { shards }),
});
