import { createHash } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { blackWeek, DAY } from './calendar.ts';
import { copyLine } from './copy.ts';
import { generate } from './generate.ts';
import type { Row } from './world.ts';

const until = new Date('2026-11-22T00:00:00Z');

function run(seed: number, orders: number, end: Date, emit: (table: string, row: Row) => void): void {
  for (const _day of generate({ seed, orders, until: end, emit }));
}

function hashOf(seed: number, orders: number, end = until): string {
  const hash = createHash('sha256');
  run(seed, orders, end, (table, row) => hash.update(`${table}\t${copyLine(row, Object.keys(row))}`));
  return hash.digest('hex');
}

test('the same seed, size and end give the same bytes; another one of any gives others', () => {
  const first = hashOf(42, 1500);
  expect(hashOf(42, 1500)).toBe(first);
  expect(hashOf(43, 1500)).not.toBe(first);
  expect(hashOf(42, 1501)).not.toBe(first);
  expect(hashOf(42, 1500, new Date('2026-11-23T00:00:00Z'))).not.toBe(first);
});

interface Order {
  readonly tenant: string;
  readonly at: number;
  readonly customer: number;
  readonly status: string;
  readonly country: string;
  readonly variants: number[];
}

const orders: Order[] = [];
const sold = new Map<number, number>();
let latest = 0;
/** These may lie in the future. */
const PLANNED = new Set(['due_at', 'starts_at', 'ends_at', 'scheduled_at']);

beforeAll(() => {
  run(42, 20_000, until, (table, row) => {
    for (const [name, value] of Object.entries(row))
      if (name.endsWith('_at') && typeof value === 'string' && !PLANNED.has(name))
        latest = Math.max(latest, Date.parse(value));
    if (table === 'commerce.order')
      orders.push({
        tenant: String(row.tenant_id),
        at: Date.parse(String(row.placed_at)),
        customer: Number(row.customer_id),
        status: String(row.status),
        country: String(row.ship_to_country),
        variants: [],
      });
    if (table === 'commerce.order_line')
      sold.set(Number(row.variant_id), (sold.get(Number(row.variant_id)) ?? 0) + Number(row.quantity));
  });
});

const between = (from: number, to: number, tenant?: string): Order[] =>
  orders.filter((order) => order.at >= from && order.at < to && (!tenant || order.tenant === tenant));

test('exactly as many orders as asked for, in order of time, over two years, none after the end', () => {
  expect(orders.length).toBe(20_000);
  expect(orders.every((order, index) => index === 0 || order.at >= orders[index - 1]!.at)).toBe(true);
  expect(until.getTime() - orders[0]!.at).toBeGreaterThan(728 * DAY);
  expect(latest).toBeLessThanOrEqual(until.getTime());
});

test('the business grows', () => {
  const end = until.getTime();
  const early = between(end - 700 * DAY, end - 520 * DAY).length;
  const late = between(end - 335 * DAY, end - 155 * DAY).length;
  expect(late / early).toBeGreaterThan(1.25);
});

test('each tenant has its week: Sunday is the best day of the one, midweek the weakest of the other', () => {
  const byDay = (tenant: string): number[] =>
    Array.from(
      { length: 7 },
      (_, day) =>
        orders.filter((one) => one.tenant === tenant && new Date(one.at).getUTCDay() === day).length,
    );
  const aurora = byDay('aurora');
  expect(aurora.indexOf(Math.max(...aurora))).toBe(0);
  const kestrel = byDay('kestrel');
  expect(kestrel[6]! / kestrel[2]!).toBeGreaterThan(1.2);
});

test('black week stands out in both years', () => {
  for (const year of [2024, 2025]) {
    const from = blackWeek(year);
    const daily = between(from, from + 8 * DAY).length / 8;
    const before = between(from - 35 * DAY, from - 7 * DAY).length / 28;
    if (from > until.getTime() - 730 * DAY) expect(daily / before).toBeGreaterThan(1.7);
  }
  expect(new Date(blackWeek(2025)).toISOString()).toBe('2025-11-24T00:00:00.000Z');
});

test('some three to eight in a hundred orders come back in full, more in Germany than in Italy', () => {
  const share = (list: readonly Order[]): number =>
    list.filter((one) => one.status === 'returned').length / list.length;
  expect(share(orders)).toBeGreaterThan(0.025);
  expect(share(orders)).toBeLessThan(0.08);
  expect(share(orders.filter((one) => one.country === 'DE'))).toBeGreaterThan(
    1.3 * share(orders.filter((one) => one.country === 'IT')),
  );
});

test('customers come back, and few products sell most', () => {
  const perCustomer = new Map<number, number>();
  for (const order of orders) perCustomer.set(order.customer, (perCustomer.get(order.customer) ?? 0) + 1);
  const repeaters = [...perCustomer.values()].filter((count) => count > 1).length / perCustomer.size;
  expect(repeaters).toBeGreaterThan(0.2);
  expect(repeaters).toBeLessThan(0.7);
  const pieces = [...sold.values()].sort((a, b) => b - a);
  const all = pieces.reduce((a, b) => a + b, 0);
  const top = pieces.slice(0, Math.ceil(pieces.length / 5)).reduce((a, b) => a + b, 0);
  expect(top / all).toBeGreaterThan(0.5);
});

test('Spain starts late and then grows faster than the rest', () => {
  const middle = until.getTime() - 365 * DAY;
  const spain = (list: readonly Order[]): number =>
    list.filter((one) => one.country === 'ES').length / list.length;
  const first = spain(between(0, middle, 'aurora'));
  const second = spain(between(middle, Number.POSITIVE_INFINITY, 'aurora'));
  expect(second / first).toBeGreaterThan(1.3);
});
