import type { Column, ColumnAccess, ColumnType, ScalarType, WarehouseTable } from '#kernel';
import type { EntityInfo, FieldInfo } from '../runtime/model/catalogue.ts';
import { isTextual, MASK } from '../runtime/read/select.ts';
import type { Rights } from '../runtime/types.ts';

/** Columns no field stands for and every record has. */
const ALWAYS = ['id', 'tenant_id', 'version'];

/** What is shown of each of the table's columns; columns the definition does not know are hidden. */
export function columnAccess(
  entity: EntityInfo,
  rights: Rights,
  table: WarehouseTable,
): ReadonlyMap<string, ColumnAccess> {
  const fields = new Map<string, FieldInfo>();
  for (const field of entity.fields.values()) for (const column of field.columns) fields.set(column, field);
  return new Map(
    table.schema.columns.map((column) => [column.name, one(column, fields.get(column.name), rights)]),
  );
}

function one(column: Column, field: FieldInfo | undefined, rights: Rights): ColumnAccess {
  if (ALWAYS.includes(column.name)) return { mode: 'plain' };
  const right = field && rights.fields[field.name];
  if (!field || right === undefined || right === 'hidden') return { mode: 'hidden' };
  if (right !== 'masked') return { mode: 'plain' };
  return { mode: 'masked', sql: isTextual(field.kind) ? `'${MASK}'` : nothing(column.type) };
}

/** The same for every row, as where the record itself is read, and of the column's type. */
function nothing(type: ColumnType): string {
  if (type.kind === 'array') return "CAST([], 'Array(Nullable(String))')";
  return `CAST(NULL, 'Nullable(${TYPES[type.kind]?.(type) ?? 'String'})')`;
}

const TYPES: Readonly<Partial<Record<ScalarType['kind'], (type: ScalarType) => string>>> = {
  bool: () => 'Bool',
  int2: () => 'Int16',
  int4: () => 'Int32',
  int8: () => 'Int64',
  float4: () => 'Float32',
  float8: () => 'Float64',
  numeric: ({ precision, scale }) =>
    `Decimal(${precision ?? 76}, ${precision === undefined ? 38 : (scale ?? 0)})`,
  date: () => 'Date32',
  timestamp: () => 'DateTime64(6)',
  timestamptz: () => "DateTime64(6, 'UTC')",
  uuid: () => 'UUID',
};
