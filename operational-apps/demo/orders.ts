import { HISTORY_DAYS } from './calendar.ts';
import type { Campaign, Variant } from './catalogue.ts';
import { profileOfChannel } from './chart.ts';
import { type Line, type PlacedOrder, settle } from './fulfilment.ts';
import { PAYMENT_METHODS } from './places.ts';
import { cumulate } from './random.ts';
import { type Customer, expect, type Profile, profileOf, type Shop } from './shop.ts';
import { maybeTicket } from './tickets.ts';
import { instant, money, numbered, stamps } from './world.ts';

const LINE_COUNT = cumulate([44, 28, 15, 8, 3, 2]);
const COMPANY_LINES = cumulate([10, 18, 22, 20, 14, 10, 6]);
const PIECES = cumulate([78, 14, 4, 4]);
const CONSUMER_CHANNELS = cumulate([56, 24, 14, 6]);
const CHANNEL_NAMES = ['web', 'mobile', 'marketplace', 'store'] as const;
/** List prices rose once, after the first year. */
const FIRST_YEAR_PRICE = 0.96;

/** Writes one order with all that followed from it until the end of the history. */
export function writeOrder(
  shop: Shop,
  customer: Customer,
  day: number,
  at: number,
  pick: (day: number) => Variant,
): void {
  const { world, tenant, random: chance, catalogue } = shop;
  const region = tenant.regions[customer.region]!;
  const profile = profileOf(shop, customer);
  const first = customer.orders === 0;
  const campaign = customer.company ? null : campaignOn(shop, day);
  const deal = customer.deal;
  const [discount, percent] = discountOf(shop, customer, campaign, first);
  const id = world.id('commerce.order');
  const lines = linesOf(shop, customer, day, pick, percent, deal?.amount ?? 0);
  const sum = (of: (line: DraftLine) => number): number => lines.reduce((total, line) => total + of(line), 0);
  const subtotal = sum((line) => line.quantity * line.price);
  const discounted = sum((line) => line.discount);
  const shipping = customer.company || subtotal - discounted >= tenant.freeShippingFrom ? 0 : tenant.shipping;
  const tax = sum((line) => line.tax);
  const total = subtotal - discounted + shipping + tax;
  const method = customer.company
    ? chance.pick(['invoice', 'transfer'] as const)
    : PAYMENT_METHODS[chance.weighted(region.paymentSums)]!;
  const channel = customer.company ? 'wholesale' : CHANNEL_NAMES[chance.weighted(CONSUMER_CHANNELS)]!;
  const written = lines.map((line, index) => writeLine(shop, id, line, index + 1, region.taxPercent, at));
  const onAccount = method === 'invoice' || method === 'transfer';
  const sale = shop.books.sale({
    order: id,
    customer: customer.id,
    at,
    onAccount,
    profile: profileOfChannel(channel),
    taxPercent: region.taxPercent,
    net: subtotal - discounted,
    shipping,
    tax,
    lines: written,
  });
  const order: PlacedOrder = {
    id,
    customer,
    at,
    location: region.location,
    method,
    onAccount,
    lines: written,
    total,
    tax,
    sale,
  };
  const outcome = settle(shop, order, region);
  maybeTicket(shop, order, outcome);
  world.emit('commerce.order', {
    id,
    tenant_id: tenant.id,
    number: numbered('SO-', 7, shop.next('commerce.order')),
    status: outcome.status,
    customer_id: customer.id,
    channel_id: catalogue.channels[channel],
    location_id: catalogue.locations[region.location]!,
    campaign_id: campaign?.id ?? null,
    discount_id: discount,
    opportunity_id: deal?.id ?? null,
    placed_at: instant(at),
    currency: tenant.currency,
    on_account: onAccount,
    first_order: first,
    item_count: sum((line) => line.quantity),
    subtotal: money(subtotal),
    discount_total: money(discounted),
    shipping_total: money(shipping),
    tax_total: money(tax),
    total: money(total),
    refunded_total: money(outcome.refunded),
    ...shipTo(profile),
    note: chance.chance(0.03)
      ? chance.pick(['Please ring twice', 'Leave with the neighbour', 'Gift: no invoice in the parcel'])
      : null,
    ...stamps(at, outcome.updatedAt),
  });
  customer.deal = null;
  customer.orders += 1;
  customer.spent += total - outcome.refunded;
  customer.lastAt = at;
  comeBack(
    shop,
    customer,
    day,
    campaign !== null && campaign.plan.start === 'black-week',
    outcome.refunded > 0,
  );
}

const shipTo = (profile: Profile) => ({
  ship_to_name: profile.name,
  ship_to_street: profile.address.street,
  ship_to_city: profile.address.city,
  ship_to_region: profile.address.region,
  ship_to_postal_code: profile.address.postalCode,
  ship_to_country: profile.address.country,
});

/** Whether and when the customer orders again; bargain hunters and the disappointed do so less. */
function comeBack(shop: Shop, customer: Customer, day: number, bargain: boolean, returned: boolean): void {
  const chance = shop.random;
  const habit = Math.min(0.12, customer.orders * 0.02);
  const loyalty =
    (customer.loyalty + habit) * (bargain && customer.orders === 1 ? 0.6 : 1) * (returned ? 0.7 : 1);
  if (!chance.chance(loyalty)) return;
  const gap = Math.max(2, Math.round(chance.around(customer.company ? 34 : 58, 0.75)));
  if (day + gap < HISTORY_DAYS) expect(shop, customer, day + gap);
}

function campaignOn(shop: Shop, day: number): Campaign | null {
  for (const campaign of shop.catalogue.campaigns) {
    if (day >= campaign.from && day < campaign.to && shop.random.chance(campaign.plan.share)) return campaign;
  }
  return null;
}

function discountOf(
  shop: Shop,
  customer: Customer,
  campaign: Campaign | null,
  first: boolean,
): [number | null, number] {
  const { catalogue, random: chance } = shop;
  if (customer.company) return [catalogue.trade, 12];
  if (campaign) return chance.chance(0.8) ? [campaign.discount, campaign.plan.percent] : [null, 0];
  return first && chance.chance(0.35) ? [catalogue.welcome, 10] : [null, 0];
}

interface DraftLine {
  readonly variant: Variant;
  readonly quantity: number;
  readonly price: number;
  readonly discount: number;
  readonly tax: number;
}

function linesOf(
  shop: Shop,
  customer: Customer,
  day: number,
  pick: (day: number) => Variant,
  percent: number,
  target: number,
): DraftLine[] {
  const { random: chance, tenant } = shop;
  const region = tenant.regions[customer.region]!;
  const count = 1 + chance.weighted(customer.company ? COMPANY_LINES : LINE_COUNT);
  const chosen = new Map<number, Variant>();
  for (let index = 0; index < count; index += 1) {
    // The regions' baskets differ: in dear ones the dearer of two candidates wins more often.
    const one = pick(day);
    const other = chance.chance(Math.abs(region.basket - 1) * 2) ? pick(day) : one;
    const variant = region.basket > 1 === other.price > one.price ? other : one;
    chosen.set(variant.id, variant);
  }
  return [...chosen.values()].map((variant) => {
    const price = day < HISTORY_DAYS / 2 ? Math.round(variant.price * FIRST_YEAR_PRICE) : variant.price;
    const share = target / chosen.size / price;
    const quantity = !customer.company
      ? 1 + chance.weighted(PIECES)
      : target > 0
        ? Math.max(1, Math.min(400, Math.round(share / 0.88)))
        : chance.int(2, 12);
    const discount = Math.round((quantity * price * percent) / 100);
    return {
      variant,
      quantity,
      price,
      discount,
      tax: Math.round(((quantity * price - discount) * region.taxPercent) / 100),
    };
  });
}

function writeLine(
  shop: Shop,
  order: number,
  line: DraftLine,
  position: number,
  taxPercent: number,
  at: number,
): Line {
  const { world, tenant } = shop;
  const id = world.id('commerce.order_line');
  const net = line.quantity * line.price - line.discount;
  world.emit('commerce.order_line', {
    id,
    tenant_id: tenant.id,
    order_id: order,
    position,
    variant_id: line.variant.id,
    title: line.variant.title,
    quantity: line.quantity,
    unit_price: money(line.price),
    unit_cost: money(line.variant.cost),
    currency: tenant.currency,
    discount: money(line.discount),
    tax_percent: taxPercent.toFixed(2),
    tax: money(line.tax),
    net: money(net),
    ...stamps(at, at),
  });
  return {
    id,
    variant: line.variant,
    quantity: line.quantity,
    price: line.price,
    discount: line.discount,
    net,
    tax: line.tax,
  };
}
