import { type AccessProfile, chIdent, chTable, type TableAccess, type WarehouseTable } from '#kernel';

export interface GovernedTable {
  /** The SELECT every cube of the table reads from. */
  readonly sql: string;
  readonly columns: ReadonlySet<string>;
  readonly masked: ReadonlySet<string>;
}

/**
 * The rows and columns of a table that a profile may see; null if there are none. Only columns named in the
 * profile are there. Deleted rows never are. With `only`, exactly these columns, or null if one is not visible.
 */
export function governed(
  table: WarehouseTable,
  profile: AccessProfile,
  only?: readonly string[],
): GovernedTable | null {
  const access = profile.tables.get(table.topic);
  if (!access?.readable) return null;
  const visible = table.schema.columns
    .map(({ name }) => name)
    .filter((name) => (access.columns.get(name)?.mode ?? 'hidden') !== 'hidden');
  if (only?.some((name) => !visible.includes(name))) return null;
  const columns = only ?? visible;
  if (columns.length === 0) return null;
  const masked = new Set(columns.filter((name) => access.columns.get(name)?.mode === 'masked'));
  return { sql: select(table, access, columns, masked), columns: new Set(columns), masked };
}

/**
 * Masks get a name of their own inside and the column's outside: an alias equal to a column would be meant by
 * the row filter, too, which must see the true value.
 */
function select(
  table: WarehouseTable,
  access: TableAccess,
  columns: readonly string[],
  masked: ReadonlySet<string>,
): string {
  const inner = columns.map((name, index) => {
    const mode = access.columns.get(name);
    return mode?.mode === 'masked' ? `(${mode.sql}) AS ${chIdent(`__masked_${index}`)}` : chIdent(name);
  });
  const from = `FROM ${chTable(table.database, table.table)} FINAL`;
  const where = access.filter === null ? '`_deleted` = 0' : `\`_deleted\` = 0 AND (${access.filter})`;
  const rows = `SELECT ${inner.join(', ')} ${from} WHERE ${where}`;
  if (masked.size === 0) return rows;
  const outer = columns.map((name, index) =>
    masked.has(name) ? `${chIdent(`__masked_${index}`)} AS ${chIdent(name)}` : chIdent(name),
  );
  return `SELECT ${outer.join(', ')} FROM (${rows})`;
}
