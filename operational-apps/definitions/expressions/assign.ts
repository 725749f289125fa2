import { pgLiteral } from '#kernel';
import type { FieldModel } from '../field-model.ts';
import { columnsOf } from '../model.ts';
import { Compiler, type SqlContext } from './sql.ts';
import type { Typed } from './typed.ts';
import { SQL_TYPES, typeOfField } from './types.ts';

/** SQL of each column of `field` when an expression's value is put into it, rounded as the column is. */
export function compileAssignment(
  expression: Typed,
  field: FieldModel,
  app: string,
  context: SqlContext,
): { readonly column: string; readonly sql: string }[] {
  const columns = columnsOf(field);
  const compiler = new Compiler(context);
  const type = typeOfField(field, app);
  if (expression.kind === 'literal' && expression.value === null)
    return columns.map((column) => ({ column, sql: 'NULL' }));
  if (type?.kind === 'anyReference' && expression.type.kind === 'reference') {
    const id = compiler.sql(expression);
    const entity = pgLiteral(expression.type.entities[0]!).trim();
    return [
      { column: columns[0]!, sql: `CASE WHEN ${id} IS NULL THEN NULL ELSE ${entity} END` },
      { column: columns[1]!, sql: id },
    ];
  }
  if (columns.length > 1) {
    if (expression.kind !== 'column') throw new Error(`${field.name} can only be copied from a field`);
    const { row } = expression;
    return columns.map((column, index) => ({
      column,
      sql: compiler.column(row, expression.columns[index]!),
    }));
  }
  return [{ column: columns[0]!, sql: cast(compiler.sql(expression), expression, field) }];
}

function cast(sql: string, expression: Typed, field: FieldModel): string {
  if (field.type === 'integer' && expression.type.kind === 'decimal') return `round(${sql})::bigint`;
  if (field.type === 'decimal') return `(${sql})::numeric(${field.precision},${field.scale})`;
  if (field.type === 'money') return `(${sql})::numeric(18,${field.scale ?? 2})`;
  const { kind } = expression.type;
  return kind === 'null' || kind === 'address' || kind === 'anyReference'
    ? sql
    : `(${sql})::${SQL_TYPES[kind]}`;
}
