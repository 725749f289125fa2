import { pgIdent, pgLiteral, pgTable } from '#kernel';
import type { CatalogTable } from './catalog.ts';
import type { Emit } from './steps.ts';
import type { TableModel } from './table-model.ts';

/** Descriptions, stored as comments of tables and columns. */
export function comments(table: TableModel, existing: CatalogTable | null, emit: Emit): void {
  const at = pgTable(table.schema, table.name);
  const literal = (text: string | null): string => (text === null ? 'NULL' : pgLiteral(text).trim());
  if ((existing?.comment ?? null) !== table.comment)
    emit(
      'comment',
      'additive',
      `COMMENT ON TABLE ${at} IS ${literal(table.comment)}`,
      `description of ${table.schema}.${table.name}`,
    );
  for (const column of table.columns) {
    const old =
      existing?.columns.find((one) => one.name === column.name) ??
      existing?.columns.find((one) => one.name === column.renamedFrom);
    if ((old?.comment ?? null) !== column.comment)
      emit(
        'comment',
        'additive',
        `COMMENT ON COLUMN ${at}.${pgIdent(column.name)} IS ${literal(column.comment)}`,
        `description of ${table.schema}.${table.name}.${column.name}`,
      );
  }
}
