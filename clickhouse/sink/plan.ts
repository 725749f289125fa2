import { type ColumnType, chIdent, chTable, HubError, type TableSchema } from '#kernel';
import { type AppliedTable, isNullable, SYSTEM_COLUMNS } from '../tables/index.ts';
import { decimalOf, encodeSourceText } from '../types/index.ts';

/** How the fast reader treats a column's JSON value. */
export const FORM = {
  int: 0,
  float: 1,
  bool: 2,
  text: 3,
  numeric: 4,
  date: 5,
  timestamp: 6,
  timestamptz: 7,
  uuid: 8,
  /** Through encodeValue. */
  value: 9,
} as const;

/** One column of an event's schema version and where it goes. */
export interface PlanColumn {
  readonly name: string;
  /** Name that the table's `_raw` entries go by: the column may have been renamed since. */
  readonly rawName: string;
  /** `"name":` as it stands in the event. */
  readonly label: Buffer;
  /** Position among the row's fields; -1 = the column has been dropped since. */
  readonly target: number;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly form: number;
  /** Longest text the fast reader accepts (int), digits before the point (numeric). */
  readonly limit: number;
  /** Digits after the point (numeric). */
  readonly scale: number;
  /** Fields of columns younger than the event that stand before this one, each with its tab. */
  readonly gap: Buffer;
}

/** How events of one schema version become rows of the table as it is now. */
export interface Plan {
  readonly columns: readonly PlanColumn[];
  readonly byName: ReadonlyMap<string, PlanColumn>;
  /** Number of source columns in a row. */
  readonly width: number;
  /** For each field: the value of rows older than the column, null if the event has the column. */
  readonly fills: readonly (string | Buffer | null)[];
  /** `_raw` entries of those fills. */
  readonly fillRaw: ReadonlyMap<string, string>;
  /** Positions of the key's fields. */
  readonly key: readonly number[];
  /** Event columns come in the row's order and no fill is odd: the fast reader may be used. */
  readonly ordered: boolean;
  readonly tailGap: Buffer;
  /** How many times its event's bytes a row can take at most: escapes never grow, array elements get quotes. */
  readonly growth: number;
  /** Upper bound of what a row takes beyond that. */
  readonly overhead: number;
}

/** Statement and names of a table's rows: source columns in attnum order, then the hub's own. */
export const rowColumns = (applied: AppliedTable): string =>
  [...applied.columns.map((column) => chIdent(column.name)), ...SYSTEM_COLUMNS].join(', ');

export const insertStatement = (applied: AppliedTable, table = applied.stored): string =>
  `INSERT INTO ${chTable(applied.database, table)} (${rowColumns(applied)})`;

/**
 * @param schema the version the events were written under
 * @param applied the table as it is
 * @param shape the schema version `applied` has, for the types of its columns
 */
export function compilePlan(schema: TableSchema, applied: AppliedTable, shape: TableSchema): Plan {
  const targets = new Map(applied.columns.map((column, index) => [column.attnum, index]));
  const shapes = new Map(shape.columns.map((column) => [column.attnum, column]));
  const present = new Set(schema.columns.map((column) => column.attnum));
  const fillRaw = new Map<string, string>();
  const fills = applied.columns.map((column) => {
    if (present.has(column.attnum)) return null;
    const definition = shapes.get(column.attnum);
    if (definition === undefined) throw inconsistent(applied, column.attnum);
    const { field, raw } = encodeSourceText(definition.type, isNullable(column.type), definition.fill);
    if (raw !== null) fillRaw.set(definition.name, raw);
    return field;
  });
  const gap = (from: number, to: number): Buffer =>
    Buffer.concat(fills.slice(from, to).flatMap((fill) => (fill === null ? [] : [Buffer.from(fill), TAB])));

  let ordered = fillRaw.size === 0;
  let next = 0;
  const columns = schema.columns.map((column): PlanColumn => {
    const target = targets.get(column.attnum) ?? -1;
    const definition = shapes.get(column.attnum) ?? column;
    const same = definition.type.kind === column.type.kind;
    const place = {
      gap: target < 0 ? EMPTY : gap(next, target),
      nullable: target < 0 || isNullable(applied.columns[target]?.type ?? ''),
    };
    if (target >= 0) {
      if (target < next) ordered = false;
      next = target + 1;
    }
    return {
      name: column.name,
      rawName: definition.name,
      label: Buffer.from(`${JSON.stringify(column.name)}:`),
      target,
      type: definition.type,
      ...place,
      ...formOf(definition.type, same),
    };
  });
  return {
    columns,
    byName: new Map(columns.map((column) => [column.name, column])),
    width: applied.columns.length,
    fills,
    fillRaw,
    key: applied.key.map((attnum) => targets.get(attnum) ?? -1),
    ordered,
    tailGap: gap(next, applied.columns.length),
    growth: columns.some((column) => column.form === FORM.value) ? 3 : 1,
    overhead:
      256 + 4 * applied.columns.length + fills.reduce((sum, fill) => sum + (fill?.length ?? 0) * 3, 0),
  };
}

const TAB = Buffer.from('\t');
const EMPTY = Buffer.alloc(0);
const INT_DIGITS: Readonly<Record<string, number>> = { int2: 5, int4: 10, int8: 19 };

function formOf(type: ColumnType, same: boolean): { form: number; limit: number; scale: number } {
  const none = { limit: 0, scale: 0 };
  if (!same || type.kind === 'array' || type.kind === 'bytes') return { form: FORM.value, ...none };
  switch (type.kind) {
    case 'int2':
    case 'int4':
    case 'int8':
      // One digit fewer than the type's maximum is certain to fit; longer ones are checked.
      return { form: FORM.int, limit: INT_DIGITS[type.kind]! - 1, scale: 0 };
    case 'float4':
    case 'float8':
      return { form: FORM.float, ...none };
    case 'bool':
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'uuid':
      return { form: FORM[type.kind], ...none };
    case 'numeric': {
      const decimal = decimalOf(type);
      if (decimal === null) return { form: FORM.text, ...none };
      return { form: FORM.numeric, limit: decimal.precision - decimal.scale, scale: decimal.scale };
    }
    default:
      return { form: FORM.text, ...none };
  }
}

const inconsistent = (applied: AppliedTable, attnum: number): HubError =>
  new HubError(
    'TABLE_INCONSISTENT',
    `Column ${attnum} of ${applied.database}.${applied.table} has no schema.`,
    {
      next: 'Take a new snapshot of the table.',
    },
  );
