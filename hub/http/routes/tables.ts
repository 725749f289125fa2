import { z } from 'zod';
import { chIdent, chTable, HubError, type TableSchema, warehouseTableOf } from '#kernel';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';

const part = z.string().min(1).max(128);

/** One captured table in depth: its shape now, how the shape changed, and SQL to start with. */
export function tableRoutes({ registry, pool }: RouteContext): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/tables/:source/:schema/:table',
      summary: 'A table’s columns, key, schema versions and warehouse table',
      scope: 'read',
      params: z.strictObject({ source: part, schema: part, table: part }),
      answer: 'The table.',
      handle: async ({ params }) => {
        const entry = await registry.table(params);
        if (!entry) {
          throw new HubError(
            'TABLE_NOT_FOUND',
            `There is no table ${params.source}.${params.schema}.${params.table}.`,
            {
              next: 'See `bac status`.',
              disposition: 'user',
            },
          );
        }
        const { rows } = await pool.query<{ version: number; definition: TableSchema; created_at: Date }>(
          `SELECT version, definition, created_at FROM bac.table_versions
           WHERE source = $1 AND schema_name = $2 AND table_name = $3 ORDER BY version DESC LIMIT 50`,
          [params.source, params.schema, params.table],
        );
        const latest = rows[0]?.definition;
        const { database, table } = warehouseTableOf(params);
        const target = chTable(database, table);
        return {
          ...entry,
          warehouseTable: `${database}.${table}`,
          key: latest?.key ?? [],
          keyRule: latest?.keyRule ?? 'none',
          columns: (latest?.columns ?? []).map((column) => ({
            name: column.name,
            type: column.type.sourceType,
            nullable: column.nullable,
            comment: column.comment ?? null,
          })),
          versions: rows.map((row, index) => ({
            version: row.version,
            at: row.created_at.toISOString(),
            changes: changes(rows[index + 1]?.definition, row.definition),
          })),
          sql: {
            sample: `SELECT *\nFROM ${target} FINAL\nWHERE _deleted = 0\nLIMIT 100`,
            count: `SELECT count()\nFROM ${target} FINAL\nWHERE _deleted = 0`,
            recent: `SELECT ${(latest?.key ?? []).map(chIdent).join(', ') || '*'}, _committed_at, _deleted\nFROM ${target}\nORDER BY _version DESC\nLIMIT 20`,
          },
        };
      },
    }),
  ];
}

/** What a schema version changed, in words; columns are recognised by attribute number. */
function changes(before: TableSchema | undefined, after: TableSchema): string[] {
  if (!before) return [`${after.columns.length} columns`];
  const old = new Map(before.columns.map((column) => [column.attnum, column]));
  const words: string[] = [];
  for (const column of after.columns) {
    const was = old.get(column.attnum);
    old.delete(column.attnum);
    if (!was) words.push(`added ${column.name} ${column.type.sourceType}`);
    else {
      if (was.name !== column.name) words.push(`renamed ${was.name} to ${column.name}`);
      if (was.type.sourceType !== column.type.sourceType) {
        words.push(`${column.name}: ${was.type.sourceType} became ${column.type.sourceType}`);
      }
      if (was.nullable !== column.nullable)
        words.push(`${column.name} ${column.nullable ? 'may' : 'may not'} be null`);
    }
  }
  for (const gone of old.values()) words.push(`dropped ${gone.name}`);
  if (before.key.join() !== after.key.join()) words.push(`key is now ${after.key.join(', ') || 'none'}`);
  return words.length ? words : ['nothing that the warehouse sees'];
}
