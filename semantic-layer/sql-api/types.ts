import type { Field } from './wire/backend.ts';

/** Types of PostgreSQL that a column or expression of the SQL API can have. */
export type SqlType =
  | 'bool'
  | 'int4'
  | 'int8'
  | 'numeric'
  | 'float8'
  | 'text'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'interval'
  | 'unknown';

/** Object identifier and size as pg_type has them. */
const KNOWN: Readonly<Record<SqlType, readonly [oid: number, size: number]>> = {
  bool: [16, 1],
  int4: [23, 4],
  int8: [20, 8],
  numeric: [1700, -1],
  float8: [701, 8],
  text: [25, -1],
  date: [1082, 4],
  timestamp: [1114, 8],
  timestamptz: [1184, 8],
  interval: [1186, 16],
  unknown: [25, -1],
};

export const oidOf = (type: SqlType): number => KNOWN[type][0];

export const fieldOf = (name: string, type: SqlType): Field => ({
  name,
  oid: KNOWN[type][0],
  size: KNOWN[type][1],
});

const BY_OID = new Map<number, SqlType>([
  ...(Object.entries(KNOWN) as [SqlType, readonly [number, number]][])
    .filter(([type]) => type !== 'unknown')
    .map(([type, [oid]]) => [oid, type] as const),
  [21, 'int4'],
  [700, 'float8'],
  [1043, 'text'],
  [1042, 'text'],
  [19, 'text'],
]);

/** Type of a parameter a client declared; undefined: to be inferred (0, 705) or not served. */
export const typeOfOid = (oid: number): SqlType | undefined => BY_OID.get(oid);

const NAMES: Readonly<Record<string, SqlType>> = {
  bool: 'bool',
  boolean: 'bool',
  int2: 'int4',
  smallint: 'int4',
  int4: 'int4',
  int: 'int4',
  integer: 'int4',
  int8: 'int8',
  bigint: 'int8',
  numeric: 'numeric',
  decimal: 'numeric',
  float4: 'float8',
  real: 'float8',
  float8: 'float8',
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  name: 'text',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  interval: 'interval',
};

export const typeNamed = (name: string): SqlType | undefined =>
  Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;

/** The engine's type of the same values. A numeric keeps the decimal or double it is held in. */
export const ENGINE_TYPES: Readonly<Record<Exclude<SqlType, 'numeric'>, string>> = {
  bool: 'BOOLEAN',
  int4: 'INTEGER',
  int8: 'BIGINT',
  float8: 'DOUBLE',
  text: 'VARCHAR',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP',
  interval: 'INTERVAL',
  unknown: 'VARCHAR',
};

/** How PostgreSQL calls it in its messages. */
export const TYPE_NAMES: Readonly<Record<SqlType, string>> = {
  bool: 'boolean',
  int4: 'integer',
  int8: 'bigint',
  numeric: 'numeric',
  float8: 'double precision',
  text: 'text',
  date: 'date',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  interval: 'interval',
  unknown: 'unknown',
};

/** Database name every session sees. */
export const DATABASE = 'bac';

/** Version of the catalogue's PostgreSQL, which decides what clients ask it. */
export const SERVER_VERSION = '18.6';
