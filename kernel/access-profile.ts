import type { AccessProfile, TableAccess, WarehouseTable } from './ports/semantic.ts';

/** The profile of those who see everything: every row and column of these tables. */
export function everythingProfile(tables: readonly WarehouseTable[]): AccessProfile {
  const access = ({ schema }: WarehouseTable): TableAccess => ({
    readable: true,
    filter: null,
    columns: new Map(schema.columns.map(({ name }) => [name, { mode: 'plain' }])),
  });
  return {
    id: 'everything',
    tables: new Map(tables.map((table) => [table.topic, access(table)])),
    params: () => ({}),
  };
}
