import type { ClientBase } from 'pg';
import { pgIdent, pgTable } from '#kernel';
import type { Random } from '../random.ts';
import type { ShopFacts } from './shops.ts';

/** One business transaction while it runs: the caller begins and commits it. */
export interface Context {
  readonly client: ClientBase;
  readonly random: Random;
  readonly shop: ShopFacts;
}

/** Does one thing; false if there was nothing to do it to. Throwing rolls everything back. */
export type Flow = (context: Context) => Promise<boolean>;

type Values = Readonly<Record<string, unknown>>;

/** Inserts rows with the same columns in one statement, tenant added; returns their keys in order. */
export async function insert(
  context: Context,
  table: string,
  ...rows: readonly [Values, ...Values[]]
): Promise<number[]> {
  const columns = ['tenant_id', ...Object.keys(rows[0])];
  const values: unknown[] = [];
  const tuples = rows.map((row) => {
    const marks = [context.shop.tenant.id, ...Object.values(row)].map((value) => `$${values.push(value)}`);
    return `(${marks.join(', ')})`;
  });
  const { rows: made } = await context.client.query<{ id: string }>(
    `INSERT INTO ${quoted(table)} (${columns.map(pgIdent).join(', ')}) VALUES ${tuples.join(', ')} RETURNING id`,
    values,
  );
  return made.map((row) => Number(row.id));
}

/** Sets columns of one row as every writer must: with the moment and the next version. */
export async function update(context: Context, table: string, id: number, set: Values): Promise<void> {
  const names = Object.keys(set);
  const sets = names.map((name, index) => `${pgIdent(name)} = $${index + 2}`);
  await context.client.query(
    `UPDATE ${quoted(table)} SET ${[...sets, 'updated_at = now()', 'version = version + 1'].join(', ')} WHERE id = $1`,
    [id, ...Object.values(set)],
  );
}

/** One row to work on, locked; rows others hold are passed over. `where` may use $2 and on. */
export async function claim<T>(
  context: Context,
  table: string,
  columns: string,
  where: string,
  values: readonly unknown[] = [],
  order = 'id',
): Promise<T | null> {
  const { rows } = await context.client.query(
    `SELECT ${columns} FROM ${quoted(table)} WHERE tenant_id = $1 AND ${where} ORDER BY ${order} LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [context.shop.tenant.id, ...values],
  );
  return (rows[0] as T | undefined) ?? null;
}

/** A random key among the latest of a table; rows are found from it upwards. */
export async function nearRandom(context: Context, table: string, latest: number): Promise<number> {
  const { rows } = await context.client.query<{ high: string | null }>(
    `SELECT max(id) AS high FROM ${quoted(table)}`,
  );
  const high = Number(rows[0]?.high ?? 0);
  return context.random.int(Math.max(1, high - latest), Math.max(1, high));
}

/** Next running number of a series, as the definitions format it. */
export async function nextNumber(
  context: Context,
  app: string,
  series: string,
  prefix: string,
  digits: number,
): Promise<string> {
  const { rows } = await context.client.query<{ last_value: string }>(
    `INSERT INTO ${pgTable(app, 'numbering_series')} AS s (tenant_id, series, last_value) VALUES ($1, $2, 1)
     ON CONFLICT (tenant_id, series) DO UPDATE SET last_value = s.last_value + 1 RETURNING last_value`,
    [context.shop.tenant.id, series],
  );
  return `${prefix}${String(rows[0]!.last_value).padStart(digits, '0')}`;
}

const quoted = (table: string): string => pgTable(...(table.split('.') as [string, string]));
