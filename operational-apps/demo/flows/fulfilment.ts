import { money } from '../world.ts';
import { bookCost, creditInvoice, issueInvoice, settleInvoice } from './books.ts';
import { cents } from './cents.ts';
import { type Context, claim, type Flow, insert, nearRandom, nextNumber, update } from './context.ts';
import { changeLevel } from './ordering.ts';

interface OrderRow {
  readonly id: string;
  readonly location_id: string;
  readonly total: string;
  readonly tax_total: string;
  readonly on_account: boolean;
  readonly refunded_total: string;
}

interface LineRow {
  readonly id: string;
  readonly variant_id: string;
  readonly quantity: string;
  readonly cost: string;
  readonly net: string;
  readonly tax: string;
}

const ORDER = 'id, location_id, total, tax_total, on_account, refunded_total';

const orderIn = (context: Context, status: string): Promise<OrderRow | null> =>
  claim<OrderRow>(context, 'commerce.order', ORDER, 'status = $2', [status], 'placed_at, id');

/** Lines in the order of their variants: everybody takes stock in that order. */
async function linesOf(context: Context, order: string): Promise<LineRow[]> {
  const { rows } = await context.client.query<LineRow>(
    `SELECT l.id, l.variant_id, l.quantity, v.cost, l.net, l.tax FROM commerce.order_line l
     JOIN commerce.variant v ON v.id = l.variant_id
     WHERE l.tenant_id = $1 AND l.order_id = $2 ORDER BY l.variant_id, l.id`,
    [context.shop.tenant.id, order],
  );
  return rows;
}

/** A waiting payment arrives, or fails and with it the order. */
export const receivePayment: Flow = async (context) => {
  const order = await orderIn(context, 'placed');
  if (!order) return false;
  const payment = await claim<{ id: string }>(
    context,
    'commerce.payment',
    'id',
    "order_id = $2 AND status = 'pending'",
    [order.id],
  );
  if (!payment) return cancelUnpaid(context, order);
  if (context.random.chance(0.12)) {
    await update(context, 'commerce.payment', Number(payment.id), { status: 'failed', failure: 'declined' });
    return cancelUnpaid(context, order);
  }
  await update(context, 'commerce.payment', Number(payment.id), {
    status: 'captured',
    captured_at: new Date(),
  });
  await update(context, 'commerce.order', Number(order.id), { status: 'paid' });
  if (!order.on_account) await issueInvoice(context, Number(order.id));
  await settleInvoice(context, Number(order.id), Number(payment.id));
  return true;
};

/** An invoice that was sent already is taken back. */
async function cancelUnpaid(context: Context, order: OrderRow): Promise<boolean> {
  await cancel(context, order);
  const tax = cents(order.tax_total);
  await creditInvoice(context, Number(order.id), 'cancelled', cents(order.total) - tax, tax, null);
  return true;
}

async function cancel(context: Context, order: OrderRow): Promise<void> {
  for (const line of await linesOf(context, order.id))
    await changeLevel(context, line.variant_id, order.location_id, 0, -Number(line.quantity));
  await update(context, 'commerce.order', Number(order.id), { status: 'cancelled' });
}

/** A paid order is cancelled before it leaves, and paid back. */
export const cancelPaidOrder: Flow = async (context) => {
  const order = await orderIn(context, 'paid');
  if (!order) return false;
  await cancel(context, order);
  const tax = cents(order.tax_total);
  await refund(context, order, null, cents(order.total) - tax, tax);
  return true;
};

/** The goods of a paid order leave: stock goes down, a shipment is on its way. */
export const shipOrder: Flow = async (context) => {
  const { random, shop } = context;
  const order = await orderIn(context, 'paid');
  if (!order) return false;
  const lines = await linesOf(context, order.id);
  for (const line of lines) {
    const quantity = Number(line.quantity);
    await changeLevel(context, line.variant_id, order.location_id, -quantity, -quantity);
    await insert(context, 'commerce.stock_move', {
      variant_id: line.variant_id,
      location_id: order.location_id,
      quantity: -quantity,
      reason: 'sale',
      order_id: order.id,
    });
  }
  await insert(context, 'commerce.shipment', {
    status: 'in_transit',
    order_id: order.id,
    location_id: order.location_id,
    carrier: random.pick(shop.tenant.carriers),
    tracking: `${shop.tenant.id.slice(0, 2).toUpperCase()}L${order.id.padStart(10, '0')}`,
    cost: money(random.int(420, 1400)),
    currency: shop.tenant.currency,
    shipped_at: new Date(),
  });
  await update(context, 'commerce.order', Number(order.id), { status: 'shipped' });
  const cost = lines.reduce((sum, line) => sum + Number(line.quantity) * cents(line.cost), 0);
  await bookCost(context, ['commerce.order', Number(order.id)], cost);
  return true;
};

export const deliverOrder: Flow = async (context) => {
  const order = await orderIn(context, 'shipped');
  if (!order) return false;
  const shipment = await claim<{ id: string }>(
    context,
    'commerce.shipment',
    'id',
    "order_id = $2 AND status = 'in_transit'",
    [order.id],
  );
  if (shipment)
    await update(context, 'commerce.shipment', Number(shipment.id), {
      status: 'delivered',
      delivered_at: new Date(),
    });
  await update(context, 'commerce.order', Number(order.id), { status: 'delivered' });
  return true;
};

/** A customer announces that something comes back. */
export const requestReturn: Flow = async (context) => {
  const { random, shop } = context;
  const from = await nearRandom(context, 'commerce.order', 8000);
  const order = await claim<OrderRow>(
    context,
    'commerce.order',
    ORDER,
    `id >= $2 AND status = 'delivered' AND NOT EXISTS (
       SELECT 1 FROM commerce.return_order r WHERE r.tenant_id = $1 AND r.order_id = "order".id)`,
    [from],
  );
  if (!order) return false;
  const all = await linesOf(context, order.id);
  const lines = random.chance(0.4) ? all : [random.pick(all)];
  const worth = (line: LineRow): number => cents(line.net) + cents(line.tax);
  const [id] = await insert(context, 'commerce.return_order', {
    number: await nextNumber(context, 'commerce', 'return_order', 'R-', 6),
    order_id: order.id,
    reason: random.pick(['size', 'damaged', 'not_as_described', 'changed_mind', 'late']),
    amount: money(lines.reduce((sum, line) => sum + worth(line), 0)),
    tax: money(lines.reduce((sum, line) => sum + cents(line.tax), 0)),
    currency: shop.tenant.currency,
  });
  const [first, ...rest] = lines.map((line, index) => ({
    return_order_id: id,
    position: index + 1,
    order_line_id: line.id,
    variant_id: line.variant_id,
    quantity: line.quantity,
    amount: money(worth(line)),
    tax: line.tax,
    currency: shop.tenant.currency,
  }));
  await insert(context, 'commerce.return_line', first!, ...rest);
  return true;
};

interface ReturnRow {
  readonly id: string;
  readonly order_id: string;
  readonly amount: string;
  readonly status: 'requested' | 'received';
}

/** The oldest open return moves on: received, then refunded (goods back in stock) or rejected. */
export const handleReturn: Flow = async (context) => {
  const row = await claim<ReturnRow>(
    context,
    'commerce.return_order',
    'id, order_id, amount, status',
    "status IN ('requested', 'received')",
    [],
    'requested_at, id',
  );
  if (!row) return false;
  const id = Number(row.id);
  if (row.status === 'requested') {
    await update(context, 'commerce.return_order', id, { status: 'received', received_at: new Date() });
    return true;
  }
  if (context.random.chance(0.05)) {
    await update(context, 'commerce.return_order', id, { status: 'rejected' });
    return true;
  }
  const order = await claim<OrderRow>(context, 'commerce.order', ORDER, 'id = $2', [row.order_id]);
  if (!order) return false;
  const { rows: lines } = await context.client.query<{
    variant_id: string;
    quantity: string;
    cost: string;
    tax: string;
  }>(
    `SELECT r.variant_id, r.quantity, v.cost, l.tax FROM commerce.return_line r
     JOIN commerce.variant v ON v.id = r.variant_id JOIN commerce.order_line l ON l.id = r.order_line_id
     WHERE r.tenant_id = $1 AND r.return_order_id = $2 ORDER BY r.variant_id, r.id`,
    [context.shop.tenant.id, row.id],
  );
  for (const line of lines) {
    await changeLevel(context, line.variant_id, order.location_id, Number(line.quantity), 0);
    await insert(context, 'commerce.stock_move', {
      variant_id: line.variant_id,
      location_id: order.location_id,
      quantity: line.quantity,
      reason: 'return',
      order_id: order.id,
    });
  }
  await update(context, 'commerce.return_order', id, { status: 'refunded' });
  const whole = (await linesOf(context, order.id)).length === lines.length;
  if (whole) await update(context, 'commerce.order', Number(order.id), { status: 'returned' });
  const tax = lines.reduce((sum, line) => sum + cents(line.tax), 0);
  await refund(context, order, id, cents(row.amount) - tax, tax);
  const cost = lines.reduce((sum, line) => sum + Number(line.quantity) * cents(line.cost), 0);
  await bookCost(context, ['commerce.return_order', id], -cost);
  return true;
};

async function refund(
  context: Context,
  order: OrderRow,
  returned: number | null,
  net: number,
  tax: number,
): Promise<void> {
  const payment = await claim<{ id: string }>(
    context,
    'commerce.payment',
    'id',
    "order_id = $2 AND status = 'captured'",
    [order.id],
  );
  if (!payment) throw new Error(`order ${order.id} has no captured payment to pay back`);
  const reference = `ref_live_${order.id}_${returned ?? 'cancel'}`;
  const [id] = await insert(context, 'commerce.refund', {
    order_id: order.id,
    return_order_id: returned,
    payment_id: payment.id,
    amount: money(net + tax),
    tax: money(tax),
    currency: context.shop.tenant.currency,
    reference,
  });
  await update(context, 'commerce.order', Number(order.id), {
    refunded_total: money(cents(order.refunded_total) + net + tax),
  });
  const reason = returned ? 'returned' : 'cancelled';
  await creditInvoice(context, Number(order.id), reason, net, tax, { id: id!, reference });
}

/** An order that was cancelled unpaid is removed for good, with its lines (cascade) and payments. */
export const removeCancelledOrder: Flow = async (context) => {
  const from = await nearRandom(context, 'commerce.order', 5000);
  const order = await claim<{ id: string }>(
    context,
    'commerce.order',
    'id',
    `id >= $2 AND status = 'cancelled' AND refunded_total = 0 AND NOT on_account AND NOT EXISTS (
       SELECT 1 FROM support.ticket t WHERE t.tenant_id = $1 AND t.order_id = "order".id)`,
    [from],
  );
  if (!order) return false;
  const { client, shop } = context;
  await client.query('DELETE FROM commerce.payment WHERE tenant_id = $1 AND order_id = $2', [
    shop.tenant.id,
    order.id,
  ]);
  await client.query('DELETE FROM commerce."order" WHERE tenant_id = $1 AND id = $2', [
    shop.tenant.id,
    order.id,
  ]);
  return true;
};

/** The demo's buyers speak up about what they got. */
export const writeReview: Flow = async (context) => {
  const { client, random, shop } = context;
  const from = await nearRandom(context, 'commerce.order', 8000);
  const { rows } = await client.query<{ id: string; customer_id: string; product_id: string }>(
    `SELECT o.id, o.customer_id, v.product_id FROM commerce."order" o
     JOIN commerce.order_line l ON l.tenant_id = o.tenant_id AND l.order_id = o.id
     JOIN commerce.variant v ON v.id = l.variant_id
     WHERE o.tenant_id = $1 AND o.id >= $2 AND o.status = 'delivered' ORDER BY o.id, l.position LIMIT 1`,
    [shop.tenant.id, from],
  );
  const row = rows[0];
  if (!row) return false;
  await insert(context, 'commerce.review', {
    product_id: row.product_id,
    customer_id: row.customer_id,
    order_id: row.id,
    rating: random.pick([5, 5, 5, 4, 4, 4, 3, 2, 1]),
    title: random.pick(['Very good', 'As expected', 'Not for me', 'Would buy again']),
  });
  return true;
};
