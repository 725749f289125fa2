import { ADDRESS_PARTS, type EntityModel, type FieldModel } from '../definitions/index.ts';
import type { Json, RecordRow, Rights } from '../runtime/types.ts';

/** How a column's values look in files that know types. */
export type ColumnKind = 'text' | 'integer' | 'decimal' | 'boolean' | 'date' | 'dateTime';

/** One column of an exchanged file. Addresses have one for each part; child tables are files of their own. */
export interface ExchangeColumn {
  /** As in the file's header: `name`, `billing.city`. */
  readonly name: string;
  readonly label: string;
  readonly kind: ColumnKind;
  readonly field: string;
  readonly part?: string;
  readonly type: FieldModel['type'] | 'system';
  /** Digits of decimals. */
  readonly precision?: number;
  readonly scale?: number;
}

const KINDS: Readonly<Partial<Record<FieldModel['type'], ColumnKind>>> = {
  integer: 'integer',
  decimal: 'decimal',
  money: 'decimal',
  boolean: 'boolean',
  date: 'date',
  dateTime: 'dateTime',
};

const system = (name: string, label: string, kind: ColumnKind = 'text'): ExchangeColumn => ({
  name,
  label,
  kind,
  field: name,
  type: 'system',
});

/** Columns of an entity in a file, in the order of its definition; hidden fields have none. */
export function exchangeColumns(entity: EntityModel, rights: Rights): ExchangeColumn[] {
  return [
    system('id', 'Id'),
    ...(entity.owner
      ? [system(entity.owner.entity, entity.owner.entity), system('position', 'Position', 'integer')]
      : []),
    ...(entity.numbering ? [system(entity.numbering.field, 'Number')] : []),
    ...(entity.states ? [system(entity.states.field, 'State')] : []),
    ...entity.fields.filter((field) => rights.fields[field.name] !== 'hidden').flatMap(columnsOfField),
    system('created_at', 'Created', 'dateTime'),
    system('updated_at', 'Changed', 'dateTime'),
    system('version', 'Version', 'integer'),
  ];
}

function columnsOfField(field: FieldModel): ExchangeColumn[] {
  if (field.type === 'childTable') return [];
  if (field.type === 'address')
    return ADDRESS_PARTS.map((part) => ({
      name: `${field.name}.${part}`,
      label: `${field.label}: ${part.replace('_', ' ')}`,
      kind: 'text' as const,
      field: field.name,
      part,
      type: field.type,
    }));
  return [
    {
      name: field.name,
      label: field.label,
      kind: KINDS[field.type] ?? 'text',
      field: field.name,
      type: field.type,
      ...(field.type === 'decimal' ? { precision: field.precision, scale: field.scale } : {}),
      ...(field.type === 'money' ? { precision: 18, scale: field.scale ?? 2 } : {}),
    },
  ];
}

/** A record's value in a column as text; null where it has none. Lists, objects and any-references are JSON. */
export function cellOf(record: RecordRow, column: ExchangeColumn): string | null {
  let value: Json | undefined = record[column.field];
  if (column.part !== undefined)
    value = (value as Readonly<Record<string, Json>> | null | undefined)?.[column.part];
  if (value === null || value === undefined) return null;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The same backwards: what a cell of a file gives to a record. Throws SyntaxError for JSON that is none. */
export function givenBy(cell: string | null, column: ExchangeColumn): Json {
  if (cell === null || cell === '') return null;
  switch (column.type) {
    case 'boolean':
      if (/^(true|yes|1|wahr|ja|oui|vrai)$/i.test(cell)) return true;
      return /^(false|no|0|falsch|nein|non|faux)$/i.test(cell) ? false : cell;
    case 'multiSelect':
      return cell.trimStart().startsWith('[') ? JSON.parse(cell) : cell.split(/\s*[,;|]\s*/).filter(Boolean);
    case 'json':
    case 'file':
    case 'anyReference':
      return JSON.parse(cell);
    default:
      return cell;
  }
}
