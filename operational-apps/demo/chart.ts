import { DAY } from './calendar.ts';
import { address, company } from './people.ts';
import { random } from './random.ts';
import type { Tenant } from './tenants.ts';
import { date, numbered, stamps, type World } from './world.ts';

const ACCOUNTS = [
  ['1000', 'Bank', 'asset'],
  ['1200', 'Receivables', 'asset'],
  ['1400', 'Inventory', 'asset'],
  ['1600', 'Payables', 'liability'],
  ['1700', 'Sales tax', 'liability'],
  ['2000', 'Equity', 'equity'],
  ['4000', 'Sales, shops', 'income'],
  ['4100', 'Sales, wholesale', 'income'],
  ['4200', 'Sales, marketplaces', 'income'],
  ['5000', 'Cost of sales', 'expense'],
  ['6000', 'Wages', 'expense'],
  ['6100', 'Rent', 'expense'],
  ['6200', 'Marketing', 'expense'],
] as const;

export type AccountCode = (typeof ACCOUNTS)[number][0];

const PROFILES = [
  ['shop', 'Shops', '4000'],
  ['wholesale', 'Wholesale', '4100'],
  ['marketplace', 'Marketplaces', '4200'],
] as const;

export type ProfileCode = (typeof PROFILES)[number][0];

/** What the books of a tenant rest on; keys of the rows. */
export interface Chart {
  readonly accounts: Readonly<Record<AccountCode, number>>;
  readonly profiles: Readonly<Record<ProfileCode, number>>;
  /** Income account of each profile. */
  readonly income: Readonly<Record<ProfileCode, number>>;
  /** One per brand, in the order of the tenant's brands. */
  readonly suppliers: readonly number[];
}

/** How an order of a channel is booked. */
export const profileOfChannel = (channel: string): ProfileCode =>
  channel === 'wholesale' || channel === 'marketplace' ? channel : 'shop';

const OPEN_MONTHS_AFTER = 13;

/** Chart of accounts, posting profiles, periods, tax rates and suppliers. */
export function emitChart(world: World, tenant: Tenant, born: number, buyers: readonly number[]): Chart {
  const book = world.id('erp.book');
  world.emit('erp.book', {
    id: book,
    tenant_id: tenant.id,
    name: tenant.name,
    currency: tenant.currency,
    opened_on: date(world.booksFrom),
    fiscal_year_start: 1,
    ...stamps(born, born),
  });
  const accounts = {} as Record<AccountCode, number>;
  for (const [code, name, kind] of ACCOUNTS) {
    accounts[code] = world.id('erp.ledger_account');
    world.emit('erp.ledger_account', {
      id: accounts[code],
      tenant_id: tenant.id,
      code,
      name,
      kind,
      active: true,
      ...stamps(born, born),
    });
  }
  const profiles = {} as Record<ProfileCode, number>;
  const income = {} as Record<ProfileCode, number>;
  for (const [code, name, revenue] of PROFILES) {
    profiles[code] = world.id('erp.posting_profile');
    income[code] = accounts[revenue];
    world.emit('erp.posting_profile', {
      id: profiles[code],
      tenant_id: tenant.id,
      code,
      name,
      bank_id: accounts['1000'],
      receivable_id: accounts['1200'],
      payable_id: accounts['1600'],
      inventory_id: accounts['1400'],
      revenue_id: income[code],
      sales_tax_id: accounts['1700'],
      cost_of_sales_id: accounts['5000'],
      ...stamps(born, born),
    });
  }
  emitPeriods(world, tenant, book, born);
  emitTaxRates(world, tenant, born);
  return { accounts, profiles, income, suppliers: emitSuppliers(world, tenant, born, profiles.shop, buyers) };
}

/** First instant of the month of `at`, moved by whole months. */
export function monthOf(at: number, more = 0): number {
  const day = new Date(at);
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + more, 1);
}

function emitPeriods(world: World, tenant: Tenant, book: number, born: number): void {
  const current = monthOf(world.until);
  const last = monthOf(world.until, OPEN_MONTHS_AFTER);
  for (let from = monthOf(world.start); from <= last; from = monthOf(from, 1)) {
    const to = monthOf(from, 1);
    const closed = to < current;
    world.emit('erp.fiscal_period', {
      id: world.id('erp.fiscal_period'),
      tenant_id: tenant.id,
      status: closed ? 'closed' : 'open',
      book_id: book,
      code: date(from).slice(0, 7),
      starts_on: date(from),
      ends_on: date(to - DAY),
      ...stamps(born, closed ? Math.max(born, to + 5 * DAY) : born),
    });
  }
}

function emitTaxRates(world: World, tenant: Tenant, born: number): void {
  for (const region of tenant.regions)
    world.emit('erp.tax_rate', {
      id: world.id('erp.tax_rate'),
      tenant_id: tenant.id,
      code: `SALES-${region.code}`,
      name: `Sales tax ${region.code}`,
      region: region.code,
      percent: region.taxPercent.toFixed(2),
      valid_from: date(born),
      valid_until: null,
      ...stamps(born, born),
    });
}

function emitSuppliers(
  world: World,
  tenant: Tenant,
  born: number,
  profile: number,
  buyers: readonly number[],
): number[] {
  const chance = random(world.seed, `suppliers/${tenant.id}`);
  return tenant.brands.map((brand, index) => {
    const id = world.id('erp.supplier');
    const region = tenant.regions[index % tenant.regions.length]!;
    const place = address(chance, region);
    const { domain } = company(chance, region, id);
    world.emit('erp.supplier', {
      id,
      tenant_id: tenant.id,
      number: numbered('V-', 5, index + 1),
      status: 'active',
      name: `${brand} ${chance.pick(['Manufacturing', 'Works', 'Trading', 'Industries'])}`,
      email: `orders@${domain}`,
      phone: null,
      address_street: place.street,
      address_city: place.city,
      address_region: place.region,
      address_postal_code: place.postalCode,
      address_country: place.country,
      currency: tenant.currency,
      tax_number: `${place.country}${chance.int(100_000_000, 999_999_999)}`,
      payment_days: 30,
      lead_days: chance.pick([7, 10, 14, 21]),
      profile_id: profile,
      buyer_id: chance.pick(buyers),
      ...stamps(born, born),
    });
    return id;
  });
}
