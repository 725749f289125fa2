import type { Agenda } from './agenda.ts';
import { DAY, HISTORY_DAYS } from './calendar.ts';
import type { Catalogue, Variant } from './catalogue.ts';
import { monthOf } from './chart.ts';
import type { Desk, Entry } from './desk.ts';
import { createPurchases } from './purchases.ts';
import { createSales, type Sale, type SaleFacts } from './sales.ts';
import type { Tenant } from './tenants.ts';
import { date, money, numbered, stamps, type World } from './world.ts';

/** A tenant's ledger, with the documents behind it from the day on which the books were opened. */
export interface Books {
  /** Begins to follow an order. */
  sale(order: SaleFacts): Sale;
  /** Pieces that came in for stock. */
  received(variant: Variant, location: number, pieces: number, at: number): void;
  /** The summaries not yet written; nothing may follow. */
  finish(): void;
}

const CAPITAL_AN_ORDER = 9000;
const WAGES_AN_ORDER = 2100;
const RENT_AN_ORDER = 540;

export function createBooks(
  world: World,
  tenant: Tenant,
  catalogue: Catalogue,
  agenda: Agenda,
  next: (series: string) => number,
): Books {
  const { accounts } = catalogue.chart;
  const months = new Map<number, Map<number, number>>();
  const post = (entry: Entry): void => writeEntry(world, tenant, next, entry);
  const desk: Desk = {
    world,
    tenant,
    catalogue,
    agenda,
    next,
    post,
    summarise(at, lines) {
      const month = monthOf(at);
      const sums = months.get(month) ?? new Map<number, number>();
      months.set(month, sums);
      for (const [account, cents] of lines) sums.set(account, (sums.get(account) ?? 0) + cents);
    },
  };
  const close = (month: number): void => {
    const last = Math.min(monthOf(month, 1), world.until) - 1;
    const orders = (world.orders * tenant.share * (last - Math.max(month, world.start))) / DAY / HISTORY_DAYS;
    const wages = Math.round(orders * WAGES_AN_ORDER);
    const rent = Math.round(orders * RENT_AN_ORDER);
    const marketing = catalogue.campaignCosts.get(month) ?? 0;
    desk.summarise(last, [
      [accounts['6000'], wages],
      [accounts['6100'], rent],
      [accounts['6200'], marketing],
      [accounts['1000'], -wages - rent - marketing],
    ]);
    const sums = months.get(month)!;
    months.delete(month);
    post({
      kind: 'summary',
      memo: `Business of ${date(month).slice(0, 7)} without documents of its own`,
      source: null,
      at: last,
      lines: [...sums].sort(([a], [b]) => a - b),
    });
  };
  // The suppliers of the chart have the first numbers.
  for (const _ of catalogue.chart.suppliers) next('erp.supplier');
  agenda.at(world.start, () => {
    const capital = Math.round(world.orders * tenant.share * CAPITAL_AN_ORDER);
    post({
      kind: 'opening',
      memo: 'Capital paid in',
      source: null,
      at: world.start,
      lines: [
        [accounts['1000'], capital],
        [accounts['2000'], -capital],
      ],
    });
  });
  for (let month = monthOf(world.start); month < world.until; month = monthOf(month, 1))
    agenda.at(Math.min(monthOf(month, 1), world.until) - 1, () => close(month));
  const sales = createSales(desk);
  const purchases = createPurchases(desk);
  return {
    sale: sales,
    received: purchases,
    finish() {
      for (const month of [...months.keys()].sort((a, b) => a - b)) close(month);
    },
  };
}

function writeEntry(world: World, tenant: Tenant, next: Desk['next'], entry: Entry): void {
  const lines = entry.lines.filter(([, cents]) => cents !== 0);
  if (lines.length === 0) return;
  const id = world.id('erp.journal_entry');
  const total = lines.reduce((sum, [, cents]) => sum + Math.max(0, cents), 0);
  const stamp = stamps(entry.at, entry.at);
  world.emit('erp.journal_entry', {
    id,
    tenant_id: tenant.id,
    number: numbered('JE-', 8, next('erp.journal_entry')),
    status: 'posted',
    kind: entry.kind,
    memo: entry.memo,
    source_type: entry.source?.[0] ?? null,
    source_id: entry.source?.[1] ?? null,
    posted_on: date(entry.at),
    currency: tenant.currency,
    total: money(total),
    ...stamp,
  });
  for (const [index, [account, cents]] of lines.entries())
    world.emit('erp.journal_line', {
      id: world.id('erp.journal_line'),
      tenant_id: tenant.id,
      journal_entry_id: id,
      position: index + 1,
      account_id: account,
      debit: money(Math.max(0, cents)),
      credit: money(Math.max(0, -cents)),
      currency: tenant.currency,
      ...stamp,
    });
}
