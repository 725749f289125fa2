import { DAY } from './calendar.ts';
import type { Variant } from './catalogue.ts';
import type { Desk, Posting } from './desk.ts';
import { writePayment } from './sales.ts';
import { date, instant, money, numbered, stamps } from './world.ts';

const LEAD_DAYS = 12;
const PAYMENT_DAYS = 30;

interface Delivery {
  readonly supplier: number;
  readonly location: number;
  readonly at: number;
  readonly lines: { variant: Variant; pieces: number }[];
}

/**
 * Goods that came in. Since the books were opened, what a supplier brings to a place in a morning is
 * one purchase order, received, with its bill; before, it is in the summaries.
 */
export function createPurchases(
  desk: Desk,
): (variant: Variant, location: number, pieces: number, at: number) => void {
  const { accounts } = desk.catalogue.chart;
  const { world, agenda } = desk;
  const underWay = new Map<string, Delivery>();
  return (variant, location, pieces, at) => {
    const cost = pieces * variant.cost;
    const paidAt = at + PAYMENT_DAYS * DAY;
    if (at < world.booksFrom) {
      desk.summarise(at, [
        [accounts['1400'], cost],
        [accounts['1600'], -cost],
      ]);
      if (paidAt < world.until)
        desk.summarise(paidAt, [
          [accounts['1600'], cost],
          [accounts['1000'], -cost],
        ]);
      return;
    }
    const key = `${variant.brand}/${location}/${at}`;
    const delivery = underWay.get(key);
    if (delivery) {
      delivery.lines.push({ variant, pieces });
      return;
    }
    const first: Delivery = { supplier: variant.brand, location, at, lines: [{ variant, pieces }] };
    underWay.set(key, first);
    agenda.at(at, () => {
      underWay.delete(key);
      writeDelivery(desk, first, paidAt);
    });
  };
}

function writeDelivery(desk: Desk, delivery: Delivery, paidAt: number): void {
  const { world, tenant, catalogue } = desk;
  const { at, lines } = delivery;
  const supplier = catalogue.chart.suppliers[delivery.supplier]!;
  const place = catalogue.locations[delivery.location]!;
  const orderedAt = at - LEAD_DAYS * DAY;
  const total = lines.reduce((sum, line) => sum + line.pieces * line.variant.cost, 0);
  const order = world.id('erp.purchase_order');
  const orderNumber = numbered('PO-', 6, desk.next('erp.purchase_order'));
  world.emit('erp.purchase_order', {
    id: order,
    tenant_id: tenant.id,
    number: orderNumber,
    status: 'received',
    supplier_id: supplier,
    location_id: place,
    buyer_id: catalogue.staff.warehouse[order % catalogue.staff.warehouse.length]!,
    ordered_on: date(orderedAt),
    expected_on: date(at),
    received_at: instant(at),
    currency: tenant.currency,
    total: money(total),
    ...stamps(orderedAt, at),
  });
  const receipt = world.id('erp.goods_receipt');
  world.emit('erp.goods_receipt', {
    id: receipt,
    tenant_id: tenant.id,
    number: numbered('GR-', 6, desk.next('erp.goods_receipt')),
    purchase_order_id: order,
    location_id: place,
    received_at: instant(at),
    ...stamps(at, at),
  });
  for (const [index, { variant, pieces }] of lines.entries()) {
    const common = {
      tenant_id: tenant.id,
      position: index + 1,
      variant_id: variant.id,
      quantity: pieces,
      unit_cost: money(variant.cost),
      currency: tenant.currency,
    };
    world.emit('erp.purchase_line', {
      id: world.id('erp.purchase_line'),
      purchase_order_id: order,
      ...common,
      net: money(pieces * variant.cost),
      ...stamps(orderedAt, orderedAt),
    });
    world.emit('erp.receipt_line', {
      id: world.id('erp.receipt_line'),
      goods_receipt_id: receipt,
      ...common,
      ...stamps(at, at),
    });
  }
  writeBill(desk, { order, orderNumber, supplier, receipt, total, at, paidAt });
}

interface BillFacts {
  readonly order: number;
  readonly orderNumber: string;
  readonly supplier: number;
  readonly receipt: number;
  readonly total: number;
  readonly at: number;
  readonly paidAt: number;
}

function writeBill(desk: Desk, facts: BillFacts): void {
  const { world, tenant, catalogue, agenda } = desk;
  const { accounts } = catalogue.chart;
  const { total, at, paidAt } = facts;
  const id = world.id('erp.bill');
  const number = numbered('BI-', 6, desk.next('erp.bill'));
  const paid = paidAt < world.until;
  world.emit('erp.bill', {
    id,
    tenant_id: tenant.id,
    number,
    status: paid ? 'paid' : 'open',
    supplier_id: facts.supplier,
    purchase_order_id: facts.order,
    reference: `RE${String(id * 7919).padStart(8, '0')}`,
    issued_on: date(at),
    due_on: date(paidAt),
    currency: tenant.currency,
    total: money(total),
    paid_total: money(paid ? total : 0),
    open_amount: money(paid ? 0 : total),
    ...stamps(at, paid ? paidAt : at),
  });
  const goods: Posting[] = [
    [accounts['1400'], total],
    [accounts['1600'], -total],
  ];
  desk.post({
    kind: 'purchase',
    memo: `Goods of ${facts.orderNumber}`,
    source: ['erp.goods_receipt', facts.receipt],
    at,
    lines: goods,
  });
  agenda.at(paidAt, () => {
    const payment = writePayment(desk, {
      kind: 'disbursement',
      invoice: null,
      bill: id,
      payment: null,
      reference: number,
      cents: total,
      at: paidAt,
    });
    desk.post({
      kind: 'payment',
      memo: `Payment of ${number}`,
      source: ['erp.payment', payment],
      at: paidAt,
      lines: [
        [accounts['1600'], total],
        [accounts['1000'], -total],
      ],
    });
  });
}
