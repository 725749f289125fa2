import { pgIdent, pgLiteral, pgTable } from '#kernel';
import { NUMBERING_TABLE } from '../definitions/index.ts';
import type { CatalogTable } from './catalog.ts';
import type { Emit } from './steps.ts';
import type { TableModel } from './table-model.ts';

/** Rows that were there before their entity was numbered get numbers in key order, per tenant. */
export function numberingSteps(table: TableModel, existing: CatalogTable, emit: Emit): void {
  const numbering = table.numbering;
  if (!numbering || existing.empty) return;
  if (existing.columns.some((column) => column.name === numbering.field)) return;
  const here = pgTable(table.schema, table.name);
  const tenant = table.tenantScoped ? 'tenant_id' : "''";
  const at = `${table.schema}.${table.name}`;
  const digits = `lpad(n::text, greatest(${numbering.digits}, length(n::text)), '0')`;
  emit(
    'data',
    'data',
    `UPDATE ${here} t SET ${pgIdent(numbering.field)} = ${pgLiteral(numbering.prefix).trim()} || ${digits}
FROM (SELECT id, ${numbering.start - 1} + row_number() OVER (PARTITION BY ${tenant} ORDER BY id) AS n FROM ${here}) s
WHERE s.id = t.id`,
    `rows of ${at} get their numbers`,
  );
  emit(
    'data',
    'data',
    `INSERT INTO ${pgTable(table.schema, NUMBERING_TABLE)} (tenant_id, series, last_value)
SELECT ${tenant}, ${pgLiteral(table.name).trim()}, ${numbering.start - 1} + count(*) FROM ${here} GROUP BY 1
ON CONFLICT (tenant_id, series) DO UPDATE SET last_value = excluded.last_value`,
    `the series of ${at} goes on after them`,
  );
}
