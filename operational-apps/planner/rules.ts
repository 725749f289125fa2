import { pgIdent, pgLiteral } from '#kernel';
import {
  type Apps,
  columnsOf,
  columnsUnder,
  compileExpression,
  type EntityModel,
  type FieldModel,
  isHeldByDatabase,
  type Place,
  scopeFor,
  type Typed,
  typedExpression,
} from '../definitions/index.ts';

const bare = { column: columnsUnder(null), tenant: '', variables: {} };

/**
 * What the definition says of values, as [label, SQL] of CHECK constraints. Only what the row's own columns
 * decide, but for its state: all other rules are held by the runtime, in the transaction that writes.
 */
export function entityRules(apps: Apps, entity: EntityModel): [string, string][] {
  const typed = (text: string, place: Place): Typed => typedExpression(text, scopeFor(apps, entity, place));
  const rules: [string, string][] = entity.fields.flatMap(fieldLimits);
  for (const { name, rule, when } of entity.checks) {
    const parts = [typed(rule, 'check'), ...(when === undefined ? [] : [typed(when, 'check')])];
    if (!isHeldByDatabase(apps, entity, parts)) continue;
    const [sql, condition] = parts.map((part) => compileExpression(part, bare));
    rules.push([name, condition === undefined ? sql! : `${condition} IS NOT TRUE OR ${sql}`]);
  }
  for (const field of entity.fields) {
    const [first] = columnsOf(field);
    if (!('requiredIf' in field) || field.requiredIf === undefined || first === undefined) continue;
    const when = typed(field.requiredIf, 'requiredIf');
    if (!isHeldByDatabase(apps, entity, [when])) continue;
    const condition = compileExpression(when, bare);
    rules.push([`${field.name}_required`, `${condition} IS NOT TRUE OR ${pgIdent(first)} IS NOT NULL`]);
  }
  return rules;
}

function fieldLimits(field: FieldModel): [string, string][] {
  const column = pgIdent(field.name);
  const rules: [string, string][] = [];
  const quoted = (value: string): string => pgLiteral(value).trim();
  if ('min' in field && field.min !== undefined)
    rules.push([`${field.name}_min`, `${column} >= ${limit(field, field.min)}`]);
  if ('max' in field && field.max !== undefined)
    rules.push([`${field.name}_max`, `${column} <= ${limit(field, field.max)}`]);
  if ('minLength' in field && field.minLength !== undefined)
    rules.push([`${field.name}_min_length`, `char_length(${column}) >= ${field.minLength}`]);
  if ('maxLength' in field && field.maxLength !== undefined)
    rules.push([`${field.name}_max_length`, `char_length(${column}) <= ${field.maxLength}`]);
  if ('pattern' in field && field.pattern !== undefined)
    rules.push([`${field.name}_pattern`, `${column} ~ ${quoted(field.pattern)}`]);
  return rules;
}

function limit(field: FieldModel, value: string | number): string {
  const text = pgLiteral(String(value)).trim();
  if (field.type === 'date') return `${text}::date`;
  if (field.type === 'dateTime') return `${text}::timestamptz`;
  return String(value);
}
