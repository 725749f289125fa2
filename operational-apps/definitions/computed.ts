import { Compiler, type SqlContext } from './expressions/sql.ts';
import { type Typed, usesOf } from './expressions/typed.ts';
import type { FieldModel } from './field-model.ts';
import type { EntityModel } from './model.ts';
import { type Apps, scopeFor, typedExpression } from './places.ts';

/** A field whose value follows from others. */
export interface ComputedField {
  readonly field: FieldModel;
  readonly typed: Typed;
  /** It looks at other rows: whoever writes those keeps it. Else it follows from its own row alone. */
  readonly rollUp: boolean;
}

const kept = new WeakMap<EntityModel, { apps: Apps; fields: readonly ComputedField[] }>();

/** The computed fields of an entity, in an order in which each follows those it needs. */
export function computedFields(apps: Apps, entity: EntityModel): readonly ComputedField[] {
  const known = kept.get(entity);
  if (known?.apps === apps) return known.fields;
  const scope = scopeFor(apps, entity, 'computed');
  const all = new Map<string, ComputedField>();
  for (const field of entity.fields)
    if ('computed' in field && field.computed !== undefined) {
      const typed = typedExpression(field.computed, scope, null);
      all.set(field.name, { field, typed, rollUp: usesOf(typed).rows.length > 0 });
    }
  const fields: ComputedField[] = [];
  const visit = (one: ComputedField): void => {
    if (fields.includes(one)) return;
    for (const name of usesOf(one.typed).columns) {
      const needed = all.get(name);
      if (needed && needed !== one) visit(needed);
    }
    if (!fields.includes(one)) fields.push(one);
  };
  for (const one of all.values()) visit(one);
  kept.set(entity, { apps, fields });
  return fields;
}

/**
 * SQL of a computed field's value, rounded to what its column holds. Computed fields it stands on are
 * written out, so that it is right even in the statement that changes those; roll-ups only with
 * `rollUpsToo`, else their columns are read.
 */
export function computedSql(
  fields: readonly ComputedField[],
  one: ComputedField,
  context: SqlContext,
  rollUpsToo = false,
): string {
  const column = (name: string): string => {
    const needed = fields.find((other) => other.field.name === name && other !== one);
    if (!needed || (needed.rollUp && !rollUpsToo)) return context.column(name);
    return computedSql(fields, needed, context, rollUpsToo);
  };
  return rounded(new Compiler({ ...context, column }).sql(one.typed), one.field);
}

function rounded(sql: string, field: FieldModel): string {
  if (field.type === 'decimal') return `round(${sql}::numeric, ${field.scale})`;
  if (field.type === 'money') return `round(${sql}::numeric, ${field.scale ?? 2})`;
  if (field.type === 'integer') return `round(${sql}::numeric)::bigint`;
  return sql;
}

/** Roll-ups to be worked out anew when a row of `source` is written: the entity that has them, and how its rows are found. */
export interface RollUpSource {
  readonly entity: EntityModel;
  readonly computed: ComputedField;
  /** Column of the written row with the id of the row that has the roll-up. */
  readonly column: string;
  /** For an anyReference: column and value that say it points to this entity. */
  readonly entityColumn?: { readonly column: string; readonly value: string };
}

/** Every roll-up over rows of `source` (`crm.activity`). */
export function rollUpsOver(apps: Apps, source: string): RollUpSource[] {
  const found: RollUpSource[] = [];
  for (const app of apps.values())
    for (const entity of app.entities)
      for (const computed of computedFields(apps, entity))
        for (const { entity: target, column, entityColumn } of usesOf(computed.typed).rows)
          if (`${target.app}.${target.name}` === source)
            found.push({ entity, computed, column, ...(entityColumn ? { entityColumn } : {}) });
  return found;
}
