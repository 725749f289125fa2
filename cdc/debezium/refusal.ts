import type { ColumnType } from '#kernel';
import type { CatalogTable, Reason } from '../catalog/index.ts';

/**
 * Element types of arrays that the connector carries. Columns of other array types are left out of its
 * events, or come as NULL: an UPDATE would blank them.
 * Source: PostgresValueConverter of Debezium 3.7, and events of it.
 */
const ELEMENTS: ReadonlySet<ColumnType['kind']> = new Set([
  'bool',
  'int2',
  'int4',
  'int8',
  'float4',
  'float8',
  'numeric',
  'text',
  'bytes',
  'date',
  'timestamp',
  'timestamptz',
  'time',
  'timetz',
  'uuid',
  'json',
  'enum',
]);
const OTHER_ELEMENTS =
  /^(inet|cidr|macaddr|macaddr8|int4range|int8range|numrange|tsrange|tstzrange|daterange|oid|hstore|citext)$/;
/** Debezium replaces other letters of a topic's name by an underscore, so that two tables could share one. */
const TOPIC_NAME = /^[A-Za-z0-9._-]+$/;

/** Why Debezium cannot carry a table; null = it can. */
export function refusal({ schema }: CatalogTable): Reason | null {
  const name = `${schema.schema}.${schema.table}`;
  if (!TOPIC_NAME.test(name)) {
    return {
      code: 'TABLE_NAME_NOT_CARRIED',
      message: `Debezium has no topic of its own for a table named ${name}.`,
      next: 'Capture it with --engine native, or give it a name of letters, digits, ".", "_" and "-".',
    };
  }
  const column = schema.columns.find(({ type }) => !carries(type));
  if (!column) return null;
  return {
    code: 'COLUMN_NOT_CARRIED',
    message: `Debezium does not carry column ${column.name} of type ${column.type.sourceType}.`,
    next: 'Capture the source, or this table in a source of its own, with --engine native.',
  };
}

function carries(type: ColumnType): boolean {
  if (type.kind !== 'array') return true;
  const { kind, sourceType } = type.element;
  return ELEMENTS.has(kind) || (kind === 'other' && OTHER_ELEMENTS.test(sourceType.replace(/^.*\./, '')));
}
