import type pg from 'pg';
import type { ColumnType, ScalarKind, ScalarType } from '#kernel';

interface TypeRow {
  readonly oid: number;
  readonly name: string;
  readonly builtin: boolean;
  readonly typtype: string;
  readonly category: string;
  readonly base: number;
  readonly base_typmod: number;
  readonly element: number;
  readonly varlena: boolean;
  readonly collation: number;
}

const BUILTIN: Readonly<Record<string, ScalarKind>> = {
  bool: 'bool',
  int2: 'int2',
  int4: 'int4',
  int8: 'int8',
  float4: 'float4',
  float8: 'float8',
  numeric: 'numeric',
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  name: 'text',
  char: 'text',
  bytea: 'bytes',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  time: 'time',
  timetz: 'timetz',
  interval: 'interval',
  uuid: 'uuid',
  json: 'json',
  jsonb: 'json',
};

const TYPES_SQL = `
SELECT t.oid::int8::float8 AS oid, t.typname AS name, n.nspname = 'pg_catalog' AS builtin, t.typtype::text AS typtype,
  t.typcategory::text AS category, t.typbasetype::int8::float8 AS base, t.typtypmod AS base_typmod,
  t.typelem::int8::float8 AS element, t.typlen = -1 AS varlena, t.typcollation::int8::float8 AS collation
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = ANY($1::oid[])`;

/** The types asked for and all that they are made of (domain bases, array elements), by OID. */
export async function loadTypes(
  client: pg.ClientBase,
  oids: Iterable<number>,
): Promise<ReadonlyMap<number, TypeRow>> {
  const types = new Map<number, TypeRow>();
  let wanted = [...new Set(oids)];
  while (wanted.length > 0) {
    const { rows } = await client.query<TypeRow>(TYPES_SQL, [wanted]);
    for (const row of rows) types.set(row.oid, row);
    const next = rows.flatMap((row) => [row.base, row.element]).filter((oid) => oid !== 0 && !types.has(oid));
    wanted = [...new Set(next)];
  }
  return types;
}

/** Column type as the kernel knows it. `sourceType` is what format_type says of the declared type. */
export function resolveType(
  types: ReadonlyMap<number, TypeRow>,
  oid: number,
  typmod: number,
  sourceType: string,
): ColumnType {
  const base = resolveDomain(types, oid, typmod);
  const row = base.row;
  // Only true arrays: fixed-length built-ins such as point also have an element type.
  if (row && row.category === 'A' && row.element !== 0 && row.varlena) {
    const element = resolveDomain(types, row.element, base.typmod);
    // A domain over an array inside an array has no element kind of its own: its text is kept.
    const kind: ScalarType =
      element.row?.category === 'A'
        ? { kind: 'other', sourceType: sourceType.replace(/\[\]$/, '') }
        : scalar(element.row, element.typmod, sourceType.replace(/\[\]$/, ''));
    return { kind: 'array', element: kind, sourceType };
  }
  return scalar(row, base.typmod, sourceType);
}

function resolveDomain(
  types: ReadonlyMap<number, TypeRow>,
  oid: number,
  typmod: number,
): { row: TypeRow | undefined; typmod: number } {
  let row = types.get(oid);
  let modifier = typmod;
  while (row?.typtype === 'd') {
    if (modifier === -1) modifier = row.base_typmod;
    row = types.get(row.base);
  }
  return { row, typmod: modifier };
}

function scalar(row: TypeRow | undefined, typmod: number, sourceType: string): ScalarType {
  if (row?.typtype === 'e') return { kind: 'enum', sourceType };
  const kind = row?.builtin ? (BUILTIN[row.name] ?? 'other') : 'other';
  if (kind !== 'numeric' || typmod < 4) return { kind, sourceType };
  const packed = typmod - 4;
  // Since PostgreSQL 15 the scale is a signed 11-bit number; before it was never above 1000.
  const scale = ((packed & 0x7ff) ^ 1024) - 1024;
  return { kind, precision: (packed >> 16) & 0xffff, scale, sourceType };
}
