import type { ClientBase } from 'pg';
import type { Basics, Category, Priority } from '../basics.ts';
import type { AccountCode, ProfileCode } from '../chart.ts';
import { TENANTS, type Tenant } from '../tenants.ts';
import { cents } from './cents.ts';

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
  readonly basics: Basics;
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
    // Without suppliers, an older release has filled it in, which knew fewer apps.
    if (variants.length === 0 || team.length === 0 || suppliers.length === 0) continue;
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
      basics: await readBasics(rows),
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

async function readBasics(rows: Rows): Promise<Basics> {
  const keyed = async <K extends string>(table: string, key: string): Promise<Record<K, number>> => {
    const found = await rows<{ id: string; key: K }>(
      `SELECT id, ${key} AS key FROM ${table} WHERE tenant_id = $1 ORDER BY id`,
    );
    return Object.fromEntries(found.map((one) => [one.key, Number(one.id)])) as Record<K, number>;
  };
  const policies = await rows<{ id: string; priority: Priority; response: string; resolution: string }>(
    `SELECT id, priority, first_response_minutes AS response, resolution_minutes AS resolution
     FROM support.sla_policy WHERE tenant_id = $1 AND active`,
  );
  return {
    policies: Object.fromEntries(
      policies.map((one) => [
        one.priority,
        { id: Number(one.id), response: Number(one.response), resolution: Number(one.resolution) },
      ]),
    ) as Basics['policies'],
    macros: await keyed<Category>('support.macro', 'code'),
    lines: await keyed<keyof Basics['lines']>('voice.number', 'use'),
    outcomes: await keyed('voice.call_outcome', 'code'),
    segments: await keyed('marketing.segment', 'code'),
    templates: Object.values(await keyed('marketing.template', 'code')),
  };
}
