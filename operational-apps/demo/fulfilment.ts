import { DAY, HOUR } from './calendar.ts';
import { maybeMessage } from './calls.ts';
import type { Variant } from './catalogue.ts';
import type { PAYMENT_METHODS, Region } from './places.ts';
import { random } from './random.ts';
import type { Sale } from './sales.ts';
import type { Customer, Shop } from './shop.ts';
import { instant, money, numbered, stamps } from './world.ts';

/** Amounts in cents. */
export interface Line {
  readonly id: number;
  readonly variant: Variant;
  readonly quantity: number;
  readonly price: number;
  readonly discount: number;
  readonly net: number;
  readonly tax: number;
}

export interface PlacedOrder {
  readonly id: number;
  readonly customer: Customer;
  readonly at: number;
  readonly location: number;
  readonly method: (typeof PAYMENT_METHODS)[number];
  readonly onAccount: boolean;
  readonly lines: readonly Line[];
  readonly total: number;
  readonly tax: number;
  readonly sale: Sale;
}

export interface Outcome {
  readonly status: 'placed' | 'paid' | 'shipped' | 'delivered' | 'returned' | 'cancelled';
  /** Cents. */
  readonly refunded: number;
  readonly updatedAt: number;
}

const REASONS = ['size', 'damaged', 'not_as_described', 'changed_mind', 'late'] as const;

/** Payment, stock, shipment, return, refund and review of one order, as far as they happened before the end. */
export function settle(shop: Shop, order: PlacedOrder, region: Region): Outcome {
  const { random: chance, world } = shop;
  const slow = order.onAccount;
  const failed = !slow && chance.chance(0.024);
  if (failed) writePayment(shop, order, order.at + 20_000, 'failed');
  if (failed && chance.chance(0.4))
    return { status: 'cancelled', refunded: 0, updatedAt: end(shop, order.at + HOUR) };
  const paidAt =
    order.at +
    (failed ? 600_000 : 15_000) +
    (slow ? chance.around(slow && order.customer.company ? 5 : 2, 0.5) * DAY : 0);
  if (paidAt >= world.until) {
    writePayment(shop, order, order.at + 10_000, 'pending');
    hold(shop, order);
    return { status: 'placed', refunded: 0, updatedAt: order.at };
  }
  const payment = writePayment(shop, order, paidAt, 'captured');
  if (chance.chance(0.009)) {
    const cancelledAt = paidAt + chance.around(5, 0.7) * HOUR;
    if (cancelledAt < world.until) {
      writeRefund(shop, order, payment, null, order.total - order.tax, order.tax, cancelledAt);
      return { status: 'cancelled', refunded: order.total, updatedAt: cancelledAt };
    }
  }
  const shippedAt = paidAt + packingTime(shop, paidAt);
  if (shippedAt >= world.until) {
    hold(shop, order);
    return { status: 'paid', refunded: 0, updatedAt: paidAt };
  }
  for (const line of order.lines) {
    shop.stock.take(line.variant.id, order.location, line.quantity, order.at);
    shop.stock.move(line.variant.id, order.location, -line.quantity, 'sale', order.id, shippedAt);
  }
  const deliveredAt = shippedAt + chance.around(2.4, 0.4) * DAY;
  order.sale.shipped(shippedAt);
  writeShipment(shop, order, shippedAt, deliveredAt);
  if (deliveredAt >= world.until) return { status: 'shipped', refunded: 0, updatedAt: shippedAt };
  const returned = maybeReturn(shop, order, region, payment, deliveredAt);
  if (!returned) maybeReview(shop, order, deliveredAt, 0);
  else if (chance.chance(0.5)) maybeReview(shop, order, deliveredAt, 1.4);
  return returned ?? { status: 'delivered', refunded: 0, updatedAt: deliveredAt };
}

/** From payment to departure, in ms: nothing leaves on Sundays. */
const packingTime = (shop: Shop, at: number): number => {
  const weekday = new Date(at).getUTCDay();
  const rest = weekday === 6 ? DAY : weekday === 5 ? DAY / 2 : 0;
  return rest + shop.random.around(16, 0.6) * HOUR;
};

const end = (shop: Shop, at: number): number => Math.min(at, shop.world.until - 1);

/** Pieces promised and still here at the end. */
function hold(shop: Shop, order: PlacedOrder): void {
  for (const line of order.lines) {
    shop.stock.take(line.variant.id, order.location, line.quantity, order.at);
    shop.stock.reserve(line.variant.id, order.location, line.quantity);
  }
}

function writePayment(
  shop: Shop,
  order: PlacedOrder,
  at: number,
  status: 'pending' | 'captured' | 'failed',
): number {
  const { world, tenant, random: chance } = shop;
  const id = world.id('commerce.payment');
  const reference = `pay_${id.toString(36)}${chance.int(0, 1_679_615).toString(36).padStart(4, '0')}`;
  if (status === 'captured') order.sale.paid(id, reference, at);
  world.emit('commerce.payment', {
    id,
    tenant_id: tenant.id,
    status,
    order_id: order.id,
    method: order.method,
    amount: money(order.total),
    currency: tenant.currency,
    reference,
    captured_at: status === 'captured' ? instant(at) : null,
    failure: status === 'failed' ? chance.pick(['declined', 'declined', 'expired', 'fraud']) : null,
    ...stamps(order.at + 5_000, end(shop, Math.max(at, order.at + 5_000))),
  });
  return id;
}

function writeShipment(shop: Shop, order: PlacedOrder, shippedAt: number, deliveredAt: number): void {
  const { world, tenant, random: chance } = shop;
  const id = world.id('commerce.shipment');
  const arrived = deliveredAt < world.until;
  const tracking = `${tenant.id.slice(0, 2).toUpperCase()}${String(id).padStart(10, '0')}`;
  if (!order.customer.company) maybeMessage(shop, order.id, order.customer.id, tracking, shippedAt + HOUR);
  const pieces = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  world.emit('commerce.shipment', {
    id,
    tenant_id: tenant.id,
    status: arrived ? 'delivered' : 'in_transit',
    order_id: order.id,
    location_id: shop.catalogue.locations[order.location]!,
    carrier: chance.pick(tenant.carriers),
    tracking,
    cost: money(420 + Math.round(pieces ** 0.8 * 95)),
    currency: tenant.currency,
    shipped_at: instant(shippedAt),
    delivered_at: arrived ? instant(deliveredAt) : null,
    ...stamps(shippedAt - HOUR, arrived ? deliveredAt : shippedAt),
  });
}

function maybeReturn(
  shop: Shop,
  order: PlacedOrder,
  region: Region,
  payment: number,
  deliveredAt: number,
): Outcome | null {
  const { world, tenant, random: chance } = shop;
  const likely = order.lines.reduce((sum, line) => sum + line.variant.line.returns, 0) / order.lines.length;
  const probability = 0.072 * likely * region.returns * (order.customer.company ? 0.3 : 1);
  if (!chance.chance(probability)) return null;
  const requestedAt = deliveredAt + chance.around(6, 0.6) * DAY;
  if (requestedAt >= world.until) return null;
  const receivedAt = requestedAt + chance.around(4, 0.4) * DAY;
  const decidedAt = receivedAt + chance.around(1.5, 0.5) * DAY;
  const rejected = chance.chance(0.04);
  const status =
    receivedAt >= world.until
      ? 'requested'
      : decidedAt >= world.until
        ? 'received'
        : rejected
          ? 'rejected'
          : 'refunded';
  const whole = order.lines.length === 1 || chance.chance(0.35);
  const lines = whole ? order.lines : [chance.pick(order.lines)];
  const amount = lines.reduce((sum, line) => sum + line.net + line.tax, 0);
  const tax = lines.reduce((sum, line) => sum + line.tax, 0);
  const id = world.id('commerce.return_order');
  const updated = status === 'requested' ? requestedAt : status === 'received' ? receivedAt : decidedAt;
  world.emit('commerce.return_order', {
    id,
    tenant_id: tenant.id,
    number: numbered('R-', 6, shop.next('commerce.return_order')),
    status,
    order_id: order.id,
    reason: likely > 1.2 && chance.chance(0.5) ? 'size' : chance.pick(REASONS),
    requested_at: instant(requestedAt),
    received_at: status === 'requested' ? null : instant(receivedAt),
    amount: money(amount),
    tax: money(tax),
    currency: tenant.currency,
    ...stamps(requestedAt, updated),
  });
  for (const [index, line] of lines.entries()) writeReturnLine(shop, id, line, index + 1, requestedAt);
  if (status === 'refunded') {
    for (const line of lines)
      shop.stock.move(line.variant.id, order.location, line.quantity, 'return', order.id, receivedAt);
    const cost = lines.reduce((sum, line) => sum + line.quantity * line.variant.cost, 0);
    order.sale.returned(id, cost, receivedAt);
    writeRefund(shop, order, payment, id, amount - tax, tax, decidedAt);
  }
  return {
    status: whole && status === 'refunded' ? 'returned' : 'delivered',
    refunded: status === 'refunded' ? amount : 0,
    updatedAt: updated,
  };
}

function writeReturnLine(shop: Shop, parent: number, line: Line, position: number, at: number): void {
  shop.world.emit('commerce.return_line', {
    id: shop.world.id('commerce.return_line'),
    tenant_id: shop.tenant.id,
    return_order_id: parent,
    position,
    order_line_id: line.id,
    variant_id: line.variant.id,
    quantity: line.quantity,
    amount: money(line.net + line.tax),
    tax: money(line.tax),
    currency: shop.tenant.currency,
    ...stamps(at, at),
  });
}

function writeRefund(
  shop: Shop,
  order: PlacedOrder,
  payment: number,
  returned: number | null,
  net: number,
  tax: number,
  at: number,
): void {
  const id = shop.world.id('commerce.refund');
  const reference = `ref_${id.toString(36).padStart(6, '0')}`;
  order.sale.credited({ refund: id, reference, reason: returned ? 'returned' : 'cancelled', net, tax, at });
  shop.world.emit('commerce.refund', {
    id,
    tenant_id: shop.tenant.id,
    order_id: order.id,
    return_order_id: returned,
    payment_id: payment,
    amount: money(net + tax),
    tax: money(tax),
    currency: shop.tenant.currency,
    reference,
    refunded_at: instant(at),
    ...stamps(at, at),
  });
}

const PRAISE = ['Lovely', 'Exactly as pictured', 'Very good quality', 'Would buy again', 'Great value'];
const BLAME = ['Not what I expected', 'Arrived damaged', 'Too small', 'Colour is off', 'Disappointing'];

function maybeReview(shop: Shop, order: PlacedOrder, deliveredAt: number, penalty: number): void {
  const chance = random(shop.world.seed, `review/${order.id}`);
  if (order.customer.company || !chance.chance(0.13)) return;
  const at = deliveredAt + chance.around(5, 0.7) * DAY;
  if (at >= shop.world.until) return;
  const { variant } = chance.pick(order.lines);
  const rating = Math.max(1, Math.min(5, Math.round(variant.rating - penalty + chance.normal() * 0.8)));
  shop.world.emit('commerce.review', {
    id: shop.world.id('commerce.review'),
    tenant_id: shop.tenant.id,
    product_id: variant.product,
    customer_id: order.customer.id,
    order_id: order.id,
    rating,
    title: chance.pick(rating >= 4 ? PRAISE : rating === 3 ? ['It is all right'] : BLAME),
    body: chance.chance(0.5)
      ? `${variant.title}: ${rating >= 4 ? 'happy with it.' : 'could be better.'}`
      : null,
    written_at: instant(at),
    ...stamps(at, at),
  });
}
