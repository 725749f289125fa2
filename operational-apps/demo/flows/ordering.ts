import { address, person } from '../people.ts';
import { PAYMENT_METHODS, type Region } from '../places.ts';
import { cumulate } from '../random.ts';
import { money } from '../world.ts';
import { bookDelivery, type Delivery, issueInvoice, settleInvoice } from './books.ts';
import { type Context, claim, type Flow, insert, nearRandom, nextNumber, update } from './context.ts';
import type { VariantFacts } from './shops.ts';

interface Buyer {
  readonly id: number;
  readonly name: string;
  readonly kind: 'person' | 'company';
  readonly region: string;
  readonly first: boolean;
  readonly street: string;
  readonly city: string;
  readonly postalCode: string;
  readonly country: string;
}

interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly kind: 'person' | 'company';
  readonly region: string;
  readonly status: string;
  readonly billing_street: string;
  readonly billing_city: string;
  readonly billing_postal_code: string;
  readonly billing_country: string;
}

/** A new or known customer orders and, mostly, pays at once. */
export const placeOrder: Flow = async (context) => {
  const buyer = context.random.chance(0.42) ? await newCustomer(context) : await knownCustomer(context);
  if (buyer) await writeOrder(context, buyer, null);
  return buyer !== null;
};

/** The order that fulfils a won deal. */
export async function orderForDeal(context: Context, account: number, opportunity: number): Promise<void> {
  const row = await claim<AccountRow>(context, 'crm.account', ACCOUNT, 'id = $2', [account]);
  if (row) await writeOrder(context, await activate(context, row), opportunity);
}

const ACCOUNT =
  'id, name, kind, region, status, billing_street, billing_city, billing_postal_code, billing_country';

async function knownCustomer(context: Context): Promise<Buyer | null> {
  const from = await nearRandom(context, 'crm.account', 50_000);
  const row = await claim<AccountRow>(context, 'crm.account', ACCOUNT, "id >= $2 AND status <> 'closed'", [
    from,
  ]);
  return row ? activate(context, row) : null;
}

async function activate(context: Context, row: AccountRow): Promise<Buyer> {
  if (row.status !== 'active') await update(context, 'crm.account', Number(row.id), { status: 'active' });
  const { rows } = await context.client.query(
    'SELECT 1 FROM commerce."order" WHERE tenant_id = $1 AND customer_id = $2 LIMIT 1',
    [context.shop.tenant.id, row.id],
  );
  return {
    id: Number(row.id),
    name: row.name,
    kind: row.kind,
    region: row.region,
    first: rows.length === 0,
    street: row.billing_street,
    city: row.billing_city,
    postalCode: row.billing_postal_code,
    country: row.billing_country,
  };
}

async function newCustomer(context: Context): Promise<Buyer> {
  const { random, shop } = context;
  const region =
    shop.tenant.regions[random.weighted(cumulate(shop.tenant.regions.map((one) => one.weight)))]!;
  const who = person(random, region, random.int(100_000, 999_999));
  const home = address(random, region);
  const consent = random.chance(0.58);
  const [id] = await insert(context, 'crm.account', {
    number: await nextNumber(context, 'crm', 'account', 'A-', 7),
    status: 'active',
    name: who.name,
    kind: 'person',
    segment: 'consumer',
    email: who.email,
    phone: who.phone,
    billing_street: home.street,
    billing_city: home.city,
    billing_region: home.region,
    billing_postal_code: home.postalCode,
    billing_country: home.country,
    region: region.code,
    currency: shop.tenant.currency,
    acquired_through: random.pick(['organic', 'paid_search', 'social', 'email', 'referral', 'marketplace']),
    marketing_consent: consent,
  });
  const [contact] = await insert(context, 'crm.contact', {
    account_id: id,
    name: who.name,
    first_name: who.first,
    last_name: who.last,
    email: who.email,
    phone: who.phone,
    language: region.language,
    primary: true,
  });
  if (consent)
    await insert(context, 'marketing.subscription', {
      status: 'subscribed',
      contact_id: contact,
      account_id: id,
      topic: 'offers',
      address: who.email,
      source: 'checkout',
      subscribed_at: new Date(),
    });
  return { id: id!, name: who.name, kind: 'person', first: true, ...home };
}

interface NewLine {
  readonly variant: VariantFacts;
  readonly quantity: number;
  readonly discount: number;
  readonly tax: number;
}

async function writeOrder(context: Context, buyer: Buyer, opportunity: number | null): Promise<void> {
  const { random, shop } = context;
  const { tenant } = shop;
  const region = tenant.regions.find((one) => one.code === buyer.region) ?? tenant.regions[0]!;
  const company = buyer.kind === 'company';
  const discount = company || random.chance(0.2) ? random.pick(shop.discounts) : null;
  const lines = draftLines(context, region, company, discount?.percent ?? 0);
  const sum = (of: (line: NewLine) => number): number => lines.reduce((total, line) => total + of(line), 0);
  const subtotal = sum((line) => line.quantity * line.variant.price);
  const discounted = sum((line) => line.discount);
  const shipping = company || subtotal - discounted >= tenant.freeShippingFrom ? 0 : tenant.shipping;
  const tax = sum((line) => line.tax);
  const total = subtotal - discounted + shipping + tax;
  const location = shop.locations[region.location]!;
  const paid = random.chance(0.86);
  const method = company ? 'invoice' : PAYMENT_METHODS[random.weighted(region.paymentSums)]!;
  const onAccount = method === 'invoice' || method === 'transfer';
  const deliveries = await reserveAll(context, lines, location);
  const [order] = await insert(context, 'commerce.order', {
    number: await nextNumber(context, 'commerce', 'order', 'SO-', 7),
    status: paid ? 'paid' : 'placed',
    customer_id: buyer.id,
    channel_id:
      shop.channels[company ? 'wholesale' : random.pick(['web', 'web', 'web', 'mobile', 'marketplace'])],
    location_id: location,
    discount_id: discount?.id ?? null,
    opportunity_id: opportunity,
    currency: tenant.currency,
    on_account: onAccount,
    first_order: buyer.first,
    item_count: sum((line) => line.quantity),
    subtotal: money(subtotal),
    discount_total: money(discounted),
    shipping_total: money(shipping),
    tax_total: money(tax),
    total: money(total),
    ship_to_name: buyer.name,
    ship_to_street: buyer.street,
    ship_to_city: buyer.city,
    ship_to_region: buyer.region,
    ship_to_postal_code: buyer.postalCode,
    ship_to_country: buyer.country,
  });
  const [first, ...rest] = lines.map((line, index) => ({
    order_id: order,
    position: index + 1,
    variant_id: line.variant.id,
    title: line.variant.name,
    quantity: line.quantity,
    unit_price: money(line.variant.price),
    unit_cost: money(line.variant.cost),
    currency: tenant.currency,
    discount: money(line.discount),
    tax_percent: region.taxPercent,
    tax: money(line.tax),
    net: money(line.quantity * line.variant.price - line.discount),
  }));
  await insert(context, 'commerce.order_line', first!, ...rest);
  const [payment] = await insert(context, 'commerce.payment', {
    status: paid ? 'captured' : 'pending',
    order_id: order,
    method,
    amount: money(total),
    currency: tenant.currency,
    reference: `pay_live_${order!.toString(36)}_${random.int(0, 1_679_615).toString(36)}`,
    captured_at: paid ? new Date() : null,
  });
  for (const [supplier, goods] of deliveries) await bookDelivery(context, location, supplier, goods);
  if (paid || onAccount) await issueInvoice(context, order!);
  if (paid) await settleInvoice(context, order!, payment!);
}

function draftLines({ random, shop }: Context, region: Region, company: boolean, percent: number): NewLine[] {
  const count = company ? random.int(2, 6) : random.pick([1, 1, 2, 2, 3, 4]);
  const chosen = new Map<number, VariantFacts>();
  for (let index = 0; index < count; index += 1) {
    // Squaring favours the beginning of the list: few products sell most.
    const variant = shop.variants[Math.floor(random.next() ** 2 * shop.variants.length)]!;
    chosen.set(variant.id, variant);
  }
  // Everybody takes stock in the order of keys, so that two orders never wait for each other.
  return [...chosen.values()]
    .sort((a, b) => a.id - b.id)
    .map((variant) => {
      const quantity = company ? random.int(3, 24) : random.chance(0.8) ? 1 : 2;
      const gross = quantity * variant.price;
      const discount = Math.round((gross * percent) / 100);
      return { variant, quantity, discount, tax: Math.round(((gross - discount) * region.taxPercent) / 100) };
    });
}

/** Promises pieces; if there are too few, deliveries come in first: what they bring, by supplier. */
async function reserveAll(
  context: Context,
  lines: readonly NewLine[],
  location: number,
): Promise<Map<number, Delivery[]>> {
  const deliveries = new Map<number, Delivery[]>();
  for (const line of lines) {
    const pieces = await reserve(context, line, location);
    if (pieces === 0) continue;
    const { supplier } = line.variant;
    deliveries.set(supplier, [...(deliveries.get(supplier) ?? []), { variant: line.variant, pieces }]);
  }
  return deliveries;
}

/** Pieces that had to be received for it. */
async function reserve(context: Context, line: NewLine, location: number): Promise<number> {
  const { client, random, shop } = context;
  const { rows } = await client.query<{ id: string; available: string }>(
    `SELECT id, available FROM commerce.inventory_level
     WHERE tenant_id = $1 AND variant_id = $2 AND location_id = $3 FOR UPDATE`,
    [shop.tenant.id, line.variant.id, location],
  );
  const level = rows[0];
  if (!level) throw new Error(`no inventory level for variant ${line.variant.id} at location ${location}`);
  const missing = line.quantity - Number(level.available);
  const received = missing > 0 ? missing + random.int(20, 80) : 0;
  if (received > 0) {
    await insert(context, 'commerce.stock_move', {
      variant_id: line.variant.id,
      location_id: location,
      quantity: received,
      reason: 'receipt',
      order_id: null,
    });
  }
  await changeLevel(context, line.variant.id, location, received, line.quantity);
  return received;
}

/** Adds to what is on hand and what is reserved, keeping `available` their difference. */
export async function changeLevel(
  context: Context,
  variant: number | string,
  location: number | string,
  onHand: number,
  reserved: number,
): Promise<void> {
  await context.client.query(
    `UPDATE commerce.inventory_level SET on_hand = on_hand + $4, reserved = reserved + $5,
       available = (on_hand + $4) - (reserved + $5), updated_at = now(), version = version + 1
     WHERE tenant_id = $1 AND variant_id = $2 AND location_id = $3`,
    [context.shop.tenant.id, variant, location, onHand, reserved],
  );
}
