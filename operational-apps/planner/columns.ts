import { pgIdent, pgLiteral } from '#kernel';
import { ADDRESS_PARTS, columnsOf, type FieldModel, type FieldType } from '../definitions/index.ts';
import type { ColumnModel } from './table-model.ts';

const MONEY_PRECISION = 18;

/** Who writes: the runtime sets `bac.actor` for its transaction. In pg_get_expr's form. */
export const USER_DEFAULT =
  "COALESCE(NULLIF(current_setting('bac.actor'::text, true), ''::text), 'system'::text)";

export const inList = (name: string, values: readonly string[]): string =>
  `${pgIdent(name)} IN (${values.map((value) => pgLiteral(value).trim()).join(', ')})`;

const TYPES: Readonly<Partial<Record<FieldType, string>>> = {
  text: 'text',
  richText: 'text',
  email: 'text',
  phone: 'text',
  url: 'text',
  select: 'text',
  integer: 'bigint',
  boolean: 'boolean',
  date: 'date',
  dateTime: 'timestamp with time zone',
  multiSelect: 'text[]',
  json: 'jsonb',
  file: 'jsonb',
  reference: 'bigint',
};

/** The columns that hold a field's value. */
export function fieldColumns(field: FieldModel): ColumnModel[] {
  if (field.type === 'childTable') return [];
  const names = columnsOf(field);
  const base = {
    notNull: field.required === true,
    default: null,
    comment: field.description ?? null,
  };
  const former = field.renamedFrom ? columnsOf({ ...field, name: field.renamedFrom }) : [];
  if (field.type === 'address') {
    return names.map((name, index) => ({
      ...base,
      name,
      type: 'text',
      notNull: base.notNull && ADDRESS_PARTS[index] !== 'region',
      renamedFrom: former[index],
    }));
  }
  if (field.type === 'anyReference') {
    return names.map((name, index) => ({
      ...base,
      name,
      type: index === 0 ? 'text' : 'bigint',
      renamedFrom: former[index],
    }));
  }
  return [
    {
      ...base,
      name: names[0]!,
      type: typeOf(field),
      default: defaultSql(field),
      renamedFrom: former[0],
    },
  ];
}

function typeOf(field: FieldModel): string {
  if (field.type === 'decimal') return `numeric(${field.precision},${field.scale})`;
  if (field.type === 'money') return `numeric(${MONEY_PRECISION},${field.scale ?? 2})`;
  return TYPES[field.type]!;
}

/** In the form in which pg_get_expr gives it back. */
function defaultSql(field: FieldModel): string | null {
  if (!('default' in field) || field.default === undefined) return null;
  const value = field.default;
  switch (field.type) {
    case 'boolean':
      return String(value);
    case 'integer':
    case 'decimal':
    case 'money':
      return numberSql(String(value));
    case 'date':
      return value === '$today' ? 'CURRENT_DATE' : `${pgLiteral(String(value))}::date`;
    case 'dateTime':
      return value === '$now'
        ? 'now()'
        : `${pgLiteral(timestampText(String(value)))}::timestamp with time zone`;
    case 'multiSelect':
      return listSql(value as string[]);
    default:
      return value === '$currentUser' ? USER_DEFAULT : textSql(String(value));
  }
}

/** A number constant: bare if PostgreSQL reads it as the type it prints, else quoted with its type. */
function numberSql(text: string): string {
  if (text.includes('.')) return text.startsWith('-') ? `'${text}'::numeric` : text;
  const value = BigInt(text);
  if (value !== BigInt.asIntN(64, value)) return `'${value}'::numeric`;
  if (value !== BigInt.asIntN(32, value)) return `'${value}'::bigint`;
  return value < 0n ? `'${value}'::integer` : String(value);
}

/** With standard_conforming_strings, as pg_get_expr prints it: a backslash is a backslash. */
const textSql = (text: string): string => `'${text.replaceAll("'", "''")}'::text`;

const listSql = (values: readonly string[]): string =>
  values.length === 0 ? "'{}'::text[]" : `ARRAY[${values.map(textSql).join(', ')}]`;

const timestampText = (iso: string): string => `${iso.replace('T', ' ').replace(/(\.\d+?)0*Z$|Z$/, '$1')}+00`;

/** Rules on a field's values, as [label, SQL]. */
export function fieldChecks(field: FieldModel): [string, string][] {
  const [first, second] = columnsOf(field);
  const name = field.name;
  switch (field.type) {
    case 'select':
      return [[name, inList(name, Object.keys(field.options))]];
    case 'multiSelect': {
      const values = Object.keys(field.options).map((value) => pgLiteral(value).trim());
      return [[name, `${pgIdent(name)} <@ ARRAY[${values.join(', ')}]::text[]`]];
    }
    case 'email':
      return [[name, `position('@' in ${pgIdent(name)}) > 1`]];
    case 'anyReference':
      return [
        [first!, inList(first!, field.entities)],
        [name, `(${pgIdent(first!)} IS NULL) = (${pgIdent(second!)} IS NULL)`],
      ];
    default:
      return [];
  }
}
