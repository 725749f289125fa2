import { writeAccount } from './accounts.ts';
import { allot, DAY, dayWeights, HISTORY_DAYS, momentOf } from './calendar.ts';
import { emitCatalogue, type Variant } from './catalogue.ts';
import { createMailings } from './mailings.ts';
import { planOffice } from './office.ts';
import { writeOrder } from './orders.ts';
import { writeLead } from './pipeline.ts';
import { planRanges } from './projects.ts';
import {
  addCustomer,
  type Customer,
  createShop,
  expect,
  pickRegion,
  type Shop,
  variantPicker,
} from './shop.ts';
import { TENANTS } from './tenants.ts';
import { createWorld, type World, type WorldOptions } from './world.ts';

export interface GenerateProgress {
  /** Between 0 and 1. */
  readonly done: number;
  readonly orders: number;
}

interface Visit {
  readonly shop: Shop;
  readonly customer: Customer;
  readonly at: number;
  readonly pick: (day: number) => Variant;
}

/** Returning customers make up at most this share of a day; the rest wait for the next one. */
const MOST_RETURNING = 0.86;
const LEADS_PER_ORDER = 0.07;
const SOURCES = [
  'organic',
  'organic',
  'paid_search',
  'paid_search',
  'social',
  'email',
  'referral',
  'marketplace',
  'store',
];

/**
 * Writes the history of both tenants day by day, in order of time, and yields after each day; the
 * caller empties its buffers in between. The same options give the same rows in the same order.
 * Foreign keys hold once everything is written, not in between.
 */
export function* generate(options: WorldOptions): Generator<GenerateProgress, World> {
  const world = createWorld(options);
  const branches = TENANTS.map((tenant, index) => {
    const shop = createShop(world, tenant, emitCatalogue(world, tenant));
    const before = TENANTS.slice(0, index).reduce(
      (sum, one) => sum + Math.round(one.share * options.orders),
      0,
    );
    const last = index === TENANTS.length - 1;
    const total = last ? options.orders - before : Math.round(tenant.share * options.orders);
    const weights = dayWeights(tenant, world.start, options.seed);
    const workdays = weights.map((_, day) => {
      const weekday = new Date(world.start + day * DAY).getUTCDay();
      return weekday === 0 || weekday === 6 ? 0 : 1 + day / HISTORY_DAYS;
    });
    planOffice(shop);
    planRanges(shop);
    return {
      shop,
      mailings: createMailings(shop),
      pick: variantPicker(shop),
      orders: allot(weights, total),
      leads: allot(workdays, Math.max(12, Math.round(total * LEADS_PER_ORDER))),
    };
  });
  let orders = 0;
  for (let day = 0; day < HISTORY_DAYS; day += 1) {
    const visits = branches.flatMap(({ shop, pick, orders: plan, leads }) => {
      for (let count = leads[day]!; count > 0; count -= 1) writeLead(shop, day);
      return visitors(shop, day, plan[day]!).map((visit) => ({ ...visit, shop, pick }));
    });
    visits.sort((a, b) => a.at - b.at || a.customer.id - b.customer.id);
    for (const { shop, customer, at, pick } of visits satisfies Visit[])
      writeOrder(shop, customer, day, at, pick);
    for (const { shop } of branches) shop.agenda.close(day);
    orders += visits.length;
    yield { done: (day + 1) / (HISTORY_DAYS + 40), orders };
  }
  for (const { shop, mailings } of branches) {
    for (const [index, customer] of shop.customers.entries()) {
      writeAccount(shop, customer, mailings);
      if (index % 2000 === 1999) yield { done: 0.97, orders };
    }
    shop.books.finish();
    mailings.finish();
    shop.stock.emitLevels();
    writeSeries(shop);
    yield { done: 0.98, orders };
  }
  return world;
}

/** Who orders on a day: first those who are due, then new customers up to the day's number. */
function visitors(shop: Shop, day: number, count: number): { customer: Customer; at: number }[] {
  const { random: chance, world, tenant } = shop;
  const due = shop.due.get(day) ?? [];
  shop.due.delete(day);
  const most = Math.floor(count * MOST_RETURNING);
  // Won deals go first: their orders should not wait.
  due.sort((a, b) => Number(b.deal !== null) - Number(a.deal !== null) || a.id - b.id);
  const coming = due.slice(0, most);
  for (const late of due.slice(most)) if (day + 1 < HISTORY_DAYS) expect(shop, late, day + 1);
  const latest = world.until - 1000;
  const moment = (): number => Math.min(latest, momentOf(day, world.start, tenant.utcOffset, chance));
  const visits = coming.map((customer) => ({ customer, at: Math.max(moment(), customer.createdAt) }));
  while (visits.length < count) {
    const at = moment();
    const source = chance.pick(SOURCES);
    const customer = addCustomer(shop, {
      region: pickRegion(shop, day / HISTORY_DAYS),
      company: false,
      source,
      createdAt: at - chance.int(60_000, 1_800_000),
      loyalty: Math.max(
        0.05,
        Math.min(
          0.85,
          (source === 'marketplace' ? 0.28 : source === 'referral' ? 0.56 : 0.44) + chance.normal() * 0.16,
        ),
      ),
      owner: null,
    });
    visits.push({ customer, at });
  }
  return visits;
}

/** Where the running numbers of new rows go on. */
function writeSeries(shop: Shop): void {
  const { world, tenant, series } = shop;
  for (const [name, last_value] of series) {
    const [app, entity] = name.split('.') as [string, string];
    world.emit(`${app}.numbering_series`, { tenant_id: tenant.id, series: entity, last_value });
  }
}
