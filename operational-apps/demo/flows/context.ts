import type { ClientBase } from 'pg';
import { pgIdent, pgTable } from '#kernel';
import type { AccountCode, ProfileCode } from '../chart.ts';
import type { Random } from '../random.ts';
import { TENANTS, type Tenant } from '../tenants.ts';

/** One business transaction while it runs: the caller begins and commits it. */
export interface Context {
  readonly client: ClientBase;
  readonly random: Random;
  readonly shop: ShopFacts;
}

/** Does one thing; false if there was nothing to do it to. Throwing rolls everything back. */
export type Flow = (context: Context) => Promise<boolean>;

export interface VariantFacts {
  readonly id: number;
  readonly product: number;
  /** Key of who it is bought from. */
  readonly supplier: number;
  readonly name: string;
  /** Cents. */
  readonly price: number;
  readonly cost: number;
}

/** Keys of ledger accounts by number, and of the account each posting profile earns on. */
interface ChartFacts {
  readonly accounts: Readonly<Record<AccountCode, number>>;
  readonly income: Readonly<Record<ProfileCode, number>>;
}

/** What hardly changes of a tenant, read once per connection. */
export interface ShopFacts {
  readonly tenant: Tenant;
  readonly variants: readonly VariantFacts[];
  readonly channels: Readonly<Record<string, number>>;
  readonly locations: readonly number[];
  /** Those who sell, and the others by what they do. */
  readonly team: readonly number[];
  readonly staff: Readonly<Record<string, readonly number[]>>;
  readonly chart: ChartFacts;
  /** Active discounts: key and percent. */
  readonly discounts: readonly { readonly id: number; readonly percent: number }[];
}

/** The tenants that have products and people; empty while the demo is not filled in. */
export async function readShops(client: Pick<ClientBase, 'query'>): Promise<ShopFacts[]> {
  const shops: ShopFacts[] = [];
  // While the fill goes on, indexes and foreign keys are missing: activity waits for its end.
  const fill = await client.query("SELECT 1 FROM bac.demo_fill WHERE state = 'complete'");
  if (fill.rowCount === 0) return shops;
  for (const tenant of TENANTS) {
    const rows = async <T>(sql: string): Promise<T[]> => (await client.query(sql, [tenant.id])).rows as T[];
    const variants = await rows<{
      id: string;
      product_id: string;
      brand: string;
      name: string;
      price: string;
      cost: string;
    }>(
      `SELECT v.id, v.product_id, p.brand, v.name, v.price, v.cost FROM commerce.variant v
       JOIN commerce.product p ON p.id = v.product_id WHERE v.tenant_id = $1 AND v.active ORDER BY v.id`,
    );
    const channels = await rows<{ id: string; code: string }>(
      'SELECT id, code FROM commerce.channel WHERE tenant_id = $1',
    );
    const locations = await rows<{ id: string }>(
      'SELECT id FROM commerce.location WHERE tenant_id = $1 ORDER BY id',
    );
    const people = await rows<{ id: string; role: string }>(
      'SELECT id, role FROM crm.team_member WHERE tenant_id = $1 AND active ORDER BY id',
    );
    const members = (...roles: readonly string[]): number[] =>
      people.filter((one) => roles.includes(one.role)).map((one) => Number(one.id));
    const team = members('sales', 'manager');
    const suppliers = await rows<{ id: string }>(
      'SELECT id FROM erp.supplier WHERE tenant_id = $1 ORDER BY id',
    );
    const discounts = await rows<{ id: string; percent: string }>(
      'SELECT id, percent FROM commerce.discount WHERE tenant_id = $1 AND active AND campaign_id IS NULL ORDER BY id',
    );
    if (variants.length === 0 || team.length === 0) continue;
    shops.push({
      tenant,
      variants: variants.map((one) => ({
        id: Number(one.id),
        product: Number(one.product_id),
        supplier: Number(suppliers[Math.max(0, tenant.brands.indexOf(one.brand))]!.id),
        name: one.name,
        price: cents(one.price),
        cost: cents(one.cost),
      })),
      channels: Object.fromEntries(channels.map((one) => [one.code, Number(one.id)])),
      locations: locations.map((one) => Number(one.id)),
      team,
      staff: Object.fromEntries(
        [...new Set(people.map((one) => one.role))].map((role) => [role, members(role)]),
      ),
      chart: await readChart(rows),
      discounts: discounts.map((one) => ({ id: Number(one.id), percent: Number(one.percent) })),
    });
  }
  return shops;
}

type Rows = <T>(sql: string) => Promise<T[]>;

async function readChart(rows: Rows): Promise<ChartFacts> {
  const accounts = await rows<{ id: string; code: string }>(
    'SELECT id, code FROM erp.ledger_account WHERE tenant_id = $1',
  );
  const profiles = await rows<{ code: string; revenue_id: string }>(
    'SELECT code, revenue_id FROM erp.posting_profile WHERE tenant_id = $1',
  );
  return {
    accounts: Object.fromEntries(accounts.map((one) => [one.code, Number(one.id)])) as ChartFacts['accounts'],
    income: Object.fromEntries(
      profiles.map((one) => [one.code, Number(one.revenue_id)]),
    ) as ChartFacts['income'],
  };
}

export const cents = (amount: string): number => Math.round(Number(amount) * 100);

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
