import type { ProfileCode } from '../chart.ts';
import { money } from '../world.ts';
import { cents } from './cents.ts';
import { type Context, insert, nextNumber, update } from './context.ts';
import type { VariantFacts } from './shops.ts';

/**
 * Running numbers are locked until the end of the transaction. Everybody takes them in one order (orders,
 * purchases, receipts, bills, invoices, credit notes, payments, entries), after all locks on stock, so
 * that two transactions never wait for each other.
 */
async function post(
  context: Context,
  kind: string,
  memo: string,
  source: readonly [type: string, id: number],
  lines: readonly (readonly [account: number, cents: number])[],
): Promise<void> {
  const { currency } = context.shop.tenant;
  const counted = lines.filter(([, amount]) => amount !== 0);
  if (counted.length === 0) return;
  const [id] = await insert(context, 'erp.journal_entry', {
    number: await nextNumber(context, 'erp', 'journal_entry', 'JE-', 8),
    status: 'posted',
    kind,
    memo,
    source_type: source[0],
    source_id: source[1],
    currency,
    total: money(counted.reduce((sum, [, amount]) => sum + Math.max(0, amount), 0)),
  });
  const [first, ...rest] = counted.map(([account, amount], index) => ({
    journal_entry_id: id,
    position: index + 1,
    account_id: account,
    debit: money(Math.max(0, amount)),
    credit: money(Math.max(0, -amount)),
    currency,
  }));
  await insert(context, 'erp.journal_line', first!, ...rest);
}

interface InvoiceRow {
  readonly id: string;
  readonly number: string;
  readonly total: string;
  readonly paid_total: string;
  readonly credited_total: string;
  readonly profile: ProfileCode;
}

/** The order's invoice, locked; null for orders from before the books were opened and unpaid ones. */
async function invoiceOf(context: Context, order: number): Promise<InvoiceRow | null> {
  const { rows } = await context.client.query<InvoiceRow>(
    `SELECT i.id, i.number, i.total, i.paid_total, i.credited_total, p.code AS profile
     FROM erp.sales_invoice i JOIN erp.posting_profile p ON p.id = i.profile_id
     WHERE i.tenant_id = $1 AND i.order_id = $2 FOR UPDATE OF i`,
    [context.shop.tenant.id, order],
  );
  return rows[0] ?? null;
}

/** Issues the invoice of an order, line by line, with its entry. */
export async function issueInvoice(context: Context, order: number): Promise<void> {
  const { client, shop } = context;
  const tenant = shop.tenant.id;
  const { rows } = await client.query<{
    customer_id: string;
    profile_id: string;
    profile: ProfileCode;
    net: string;
    shipping_total: string;
    tax_total: string;
    total: string;
  }>(
    `SELECT o.customer_id, c.profile_id, p.code AS profile, o.subtotal - o.discount_total AS net, o.shipping_total,
       o.tax_total, o.total
     FROM commerce."order" o JOIN commerce.channel c ON c.id = o.channel_id
     JOIN erp.posting_profile p ON p.id = c.profile_id WHERE o.tenant_id = $1 AND o.id = $2`,
    [tenant, order],
  );
  const facts = rows[0]!;
  const number = await nextNumber(context, 'erp', 'sales_invoice', 'INV-', 7);
  const [invoice] = await insert(context, 'erp.sales_invoice', {
    number,
    status: 'open',
    order_id: order,
    customer_id: facts.customer_id,
    profile_id: facts.profile_id,
    due_on: new Date(Date.now() + 14 * 86_400_000),
    currency: shop.tenant.currency,
    net_total: facts.net,
    shipping_total: facts.shipping_total,
    tax_total: facts.tax_total,
    total: facts.total,
    open_amount: facts.total,
  });
  await client.query(
    `INSERT INTO erp.sales_invoice_line (tenant_id, sales_invoice_id, position, variant_id, title, quantity,
       unit_price, discount, tax_percent, tax, currency, net)
     SELECT tenant_id, $3, position, variant_id, title, quantity, unit_price, discount, tax_percent, tax, currency, net
     FROM commerce.order_line WHERE tenant_id = $1 AND order_id = $2 ORDER BY position`,
    [tenant, order, invoice],
  );
  const { accounts } = shop.chart;
  const tax = cents(facts.tax_total);
  await post(
    context,
    'invoice',
    `Invoice ${number}`,
    ['erp.sales_invoice', invoice!],
    [
      [accounts['1200'], cents(facts.total)],
      [shop.chart.income[facts.profile], tax - cents(facts.total)],
      [accounts['1700'], -tax],
    ],
  );
}

/** The customer's payment arrived: settles the order's invoice, if there is one. */
export async function settleInvoice(context: Context, order: number, payment: number): Promise<void> {
  const invoice = await invoiceOf(context, order);
  if (!invoice) return;
  await update(context, 'erp.sales_invoice', Number(invoice.id), {
    status: 'paid',
    paid_total: invoice.total,
    open_amount: '0',
  });
  await bookPayment(context, 'receipt', invoice, cents(invoice.total), `order ${order}`, payment);
}

async function bookPayment(
  context: Context,
  kind: 'receipt' | 'refund',
  invoice: InvoiceRow,
  amount: number,
  reference: string,
  payment: number | null,
): Promise<void> {
  const { accounts } = context.shop.chart;
  const [id] = await insert(context, 'erp.payment', {
    number: await nextNumber(context, 'erp', 'payment', 'PM-', 7),
    kind,
    invoice_id: invoice.id,
    order_payment_id: payment,
    reference,
    amount: money(amount),
    currency: context.shop.tenant.currency,
  });
  const signed = kind === 'receipt' ? amount : -amount;
  await post(
    context,
    'payment',
    `${kind === 'receipt' ? 'Payment for' : 'Paid back for'} ${invoice.number}`,
    ['erp.payment', id!],
    [
      [accounts['1000'], signed],
      [accounts['1200'], -signed],
    ],
  );
}

/** Takes back an order's invoice as far as `net` and `tax` (cents) go; with a refund, the money goes back. */
export async function creditInvoice(
  context: Context,
  order: number,
  reason: 'cancelled' | 'returned',
  net: number,
  tax: number,
  refund: { readonly id: number; readonly reference: string } | null,
): Promise<void> {
  const invoice = await invoiceOf(context, order);
  const { accounts, income } = context.shop.chart;
  if (!invoice) {
    if (!refund) return;
    const memo = 'Refund of an order from before the books were opened';
    await post(
      context,
      'credit',
      memo,
      ['commerce.order', order],
      [
        [income.shop, net],
        [accounts['1700'], tax],
        [accounts['1000'], -net - tax],
      ],
    );
    return;
  }
  const total = cents(invoice.total);
  const credited = cents(invoice.credited_total) + net + tax;
  const paid = cents(invoice.paid_total);
  await update(context, 'erp.sales_invoice', Number(invoice.id), {
    status: credited === total ? 'credited' : 'paid',
    credited_total: money(credited),
    refunded_total: money(refund ? credited : 0),
    open_amount: money(total - paid - (refund ? 0 : credited)),
  });
  const number = await nextNumber(context, 'erp', 'credit_note', 'CN-', 6);
  const [note] = await insert(context, 'erp.credit_note', {
    number,
    status: 'issued',
    invoice_id: invoice.id,
    refund_id: refund?.id ?? null,
    reason,
    currency: context.shop.tenant.currency,
    net_total: money(net),
    tax_total: money(tax),
    total: money(net + tax),
  });
  if (refund) await bookPayment(context, 'refund', invoice, net + tax, refund.reference, null);
  await post(
    context,
    'credit',
    `Credit note ${number}`,
    ['erp.credit_note', note!],
    [
      [income[invoice.profile], net],
      [accounts['1700'], tax],
      [accounts['1200'], -net - tax],
    ],
  );
}

/** Goods left (positive) or came back (negative), at cost. */
export async function bookCost(
  context: Context,
  source: readonly [type: 'commerce.order' | 'commerce.return_order', id: number],
  cost: number,
): Promise<void> {
  const { accounts } = context.shop.chart;
  await post(context, 'cost', cost > 0 ? 'Goods left' : 'Goods came back', source, [
    [accounts['5000'], cost],
    [accounts['1400'], -cost],
  ]);
}

export interface Delivery {
  readonly variant: VariantFacts;
  readonly pieces: number;
}

/** What a supplier brings: purchase order, receipt, bill and entry. The stock moves are the caller's. */
export async function bookDelivery(
  context: Context,
  location: number,
  supplier: number,
  lines: readonly Delivery[],
): Promise<void> {
  const { shop } = context;
  const { currency } = shop.tenant;
  const { accounts } = shop.chart;
  const now = new Date();
  const total = lines.reduce((sum, line) => sum + line.pieces * line.variant.cost, 0);
  const number = await nextNumber(context, 'erp', 'purchase_order', 'PO-', 6);
  const [order] = await insert(context, 'erp.purchase_order', {
    number,
    status: 'received',
    supplier_id: supplier,
    location_id: location,
    ordered_on: now,
    expected_on: now,
    received_at: now,
    currency,
    total: money(total),
  });
  const [receipt] = await insert(context, 'erp.goods_receipt', {
    number: await nextNumber(context, 'erp', 'goods_receipt', 'GR-', 6),
    purchase_order_id: order,
    location_id: location,
  });
  for (const [index, { variant, pieces }] of lines.entries()) {
    const common = {
      position: index + 1,
      variant_id: variant.id,
      quantity: pieces,
      unit_cost: money(variant.cost),
      currency,
    };
    await insert(context, 'erp.purchase_line', {
      purchase_order_id: order,
      ...common,
      net: money(pieces * variant.cost),
    });
    await insert(context, 'erp.receipt_line', { goods_receipt_id: receipt, ...common });
  }
  await insert(context, 'erp.bill', {
    number: await nextNumber(context, 'erp', 'bill', 'BI-', 6),
    status: 'open',
    supplier_id: supplier,
    purchase_order_id: order,
    due_on: new Date(now.getTime() + 30 * 86_400_000),
    currency,
    total: money(total),
    open_amount: money(total),
  });
  await post(
    context,
    'purchase',
    `Goods of ${number}`,
    ['erp.goods_receipt', receipt!],
    [
      [accounts['1400'], total],
      [accounts['1600'], -total],
    ],
  );
}

/** The oldest open bill is paid. */
export async function payBill(context: Context): Promise<boolean> {
  const { client, shop } = context;
  const { rows } = await client.query<{ id: string; number: string; total: string }>(
    `SELECT id, number, total FROM erp.bill WHERE tenant_id = $1 AND status = 'open'
     ORDER BY due_on, id LIMIT 1 FOR UPDATE SKIP LOCKED`,
    [shop.tenant.id],
  );
  const bill = rows[0];
  if (!bill) return false;
  await update(context, 'erp.bill', Number(bill.id), {
    status: 'paid',
    paid_total: bill.total,
    open_amount: '0',
  });
  const { accounts } = shop.chart;
  const amount = cents(bill.total);
  const [payment] = await insert(context, 'erp.payment', {
    number: await nextNumber(context, 'erp', 'payment', 'PM-', 7),
    kind: 'disbursement',
    bill_id: bill.id,
    reference: bill.number,
    amount: bill.total,
    currency: shop.tenant.currency,
  });
  await post(
    context,
    'payment',
    `Payment of ${bill.number}`,
    ['erp.payment', payment!],
    [
      [accounts['1600'], amount],
      [accounts['1000'], -amount],
    ],
  );
  return true;
}
