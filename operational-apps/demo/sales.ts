import { DAY } from './calendar.ts';
import type { ProfileCode } from './chart.ts';
import type { Desk, Posting } from './desk.ts';
import { date, instant, money, numbered, stamps } from './world.ts';

/** An order as the books see it; cents. */
export interface SaleFacts {
  readonly order: number;
  readonly customer: number;
  readonly at: number;
  /** Invoiced when it is placed; others when they are paid. */
  readonly onAccount: boolean;
  readonly profile: ProfileCode;
  readonly taxPercent: number;
  readonly net: number;
  readonly shipping: number;
  readonly tax: number;
  readonly lines: readonly {
    readonly variant: { readonly id: number; readonly title: string; readonly cost: number };
    readonly quantity: number;
    readonly price: number;
    readonly discount: number;
    readonly net: number;
    readonly tax: number;
  }[];
}

export interface Credit {
  readonly refund: number;
  readonly reference: string;
  readonly reason: 'cancelled' | 'returned';
  readonly net: number;
  readonly tax: number;
  readonly at: number;
}

/**
 * What becomes of an order, in the books. Everything is said before the day is over on which the order
 * was placed; moments past the end of the history never come.
 */
export interface Sale {
  paid(payment: number, reference: string, at: number): void;
  /** All or some of it is taken back and the money returned. */
  credited(credit: Credit): void;
  shipped(at: number): void;
  /** Pieces back in stock, worth `cost`. */
  returned(returnOrder: number, cost: number, at: number): void;
}

const DUE_DAYS = 14;

/** Orders since the books were opened have documents; earlier ones go into monthly summaries. */
export function createSales(desk: Desk): (facts: SaleFacts) => Sale {
  return (facts) => (facts.at < desk.world.booksFrom ? summarised(desk, facts) : documented(desk, facts));
}

const costOf = (facts: SaleFacts): number =>
  facts.lines.reduce((sum, line) => sum + line.quantity * line.variant.cost, 0);

function postings({ catalogue: { chart } }: Desk, facts: SaleFacts) {
  const { accounts } = chart;
  const income = chart.income[facts.profile];
  const total = facts.net + facts.shipping + facts.tax;
  const cost = (cents: number): Posting[] => [
    [accounts['5000'], cents],
    [accounts['1400'], -cents],
  ];
  return {
    total,
    invoice: [
      [accounts['1200'], total],
      [income, -facts.net - facts.shipping],
      [accounts['1700'], -facts.tax],
    ] as Posting[],
    received: (cents: number): Posting[] => [
      [accounts['1000'], cents],
      [accounts['1200'], -cents],
    ],
    credit: (net: number, tax: number): Posting[] => [
      [income, net],
      [accounts['1700'], tax],
      [accounts['1200'], -net - tax],
    ],
    cost,
  };
}

function summarised(desk: Desk, facts: SaleFacts): Sale {
  const lines = postings(desk, facts);
  const { until } = desk.world;
  const add = (at: number, ...parts: readonly Posting[][]): void => {
    if (at < until) for (const part of parts) desk.summarise(at, part);
  };
  if (facts.onAccount) add(facts.at, lines.invoice);
  return {
    paid(_payment, _reference, at) {
      if (!facts.onAccount) add(at, lines.invoice);
      add(at, lines.received(lines.total));
    },
    credited: ({ net, tax, at }) => add(at, lines.credit(net, tax), lines.received(-net - tax)),
    shipped: (at) => add(at, lines.cost(costOf(facts))),
    returned: (_order, cost, at) => add(at, lines.cost(-cost)),
  };
}

interface Invoice {
  id: number;
  number: string;
  paid: number;
  credited: number;
  updatedAt: number;
}

function documented(desk: Desk, facts: SaleFacts): Sale {
  const { agenda } = desk;
  const lines = postings(desk, facts);
  const invoice: Invoice = { id: 0, number: '', paid: 0, credited: 0, updatedAt: facts.at };
  const issue = (at: number): void => {
    agenda.at(at, () => {
      writeInvoice(desk, facts, invoice, at);
      desk.post({
        kind: 'invoice',
        memo: `Invoice ${invoice.number}`,
        source: ['erp.sales_invoice', invoice.id],
        at,
        lines: lines.invoice,
      });
    });
  };
  const pay = (
    kind: 'receipt' | 'refund',
    cents: number,
    reference: string,
    payment: number | null,
    at: number,
  ) => {
    const id = writePayment(desk, { kind, invoice: invoice.id, bill: null, payment, reference, cents, at });
    desk.post({
      kind: 'payment',
      memo: `${kind === 'receipt' ? 'Payment for' : 'Paid back for'} ${invoice.number}`,
      source: ['erp.payment', id],
      at,
      lines: lines.received(kind === 'receipt' ? cents : -cents),
    });
  };
  if (facts.onAccount) issue(facts.at);
  return {
    paid(payment, reference, at) {
      if (at >= desk.world.until) return;
      if (!facts.onAccount) issue(at);
      invoice.paid = lines.total;
      invoice.updatedAt = at;
      agenda.at(at, () => pay('receipt', lines.total, reference, payment, at));
    },
    credited(credit) {
      const { at } = credit;
      if (at >= desk.world.until) return;
      invoice.credited += credit.net + credit.tax;
      invoice.updatedAt = at;
      agenda.at(at, () => {
        writeCreditNote(desk, invoice, credit, lines.credit(credit.net, credit.tax));
        pay('refund', credit.net + credit.tax, credit.reference, null, at);
      });
    },
    shipped(at) {
      agenda.at(at, () =>
        desk.post({
          kind: 'cost',
          memo: 'Goods left',
          source: ['commerce.order', facts.order],
          at,
          lines: lines.cost(costOf(facts)),
        }),
      );
    },
    returned(returnOrder, cost, at) {
      agenda.at(at, () =>
        desk.post({
          kind: 'cost',
          memo: 'Goods came back',
          source: ['commerce.return_order', returnOrder],
          at,
          lines: lines.cost(-cost),
        }),
      );
    },
  };
}

/** The row as it is at the end of the history. */
function writeInvoice(desk: Desk, facts: SaleFacts, invoice: Invoice, at: number): void {
  const { world, tenant, catalogue } = desk;
  const total = facts.net + facts.shipping + facts.tax;
  invoice.id = world.id('erp.sales_invoice');
  invoice.number = numbered('INV-', 7, desk.next('erp.sales_invoice'));
  world.emit('erp.sales_invoice', {
    id: invoice.id,
    tenant_id: tenant.id,
    number: invoice.number,
    status: invoice.credited === total ? 'credited' : invoice.paid === total ? 'paid' : 'open',
    order_id: facts.order,
    customer_id: facts.customer,
    profile_id: catalogue.chart.profiles[facts.profile],
    issued_at: instant(at),
    due_on: date(at + DUE_DAYS * DAY),
    currency: tenant.currency,
    net_total: money(facts.net),
    shipping_total: money(facts.shipping),
    tax_total: money(facts.tax),
    total: money(total),
    paid_total: money(invoice.paid),
    credited_total: money(invoice.credited),
    refunded_total: money(invoice.credited),
    open_amount: money(total - invoice.paid),
    ...stamps(at, invoice.updatedAt),
  });
  for (const [index, line] of facts.lines.entries())
    world.emit('erp.sales_invoice_line', {
      id: world.id('erp.sales_invoice_line'),
      tenant_id: tenant.id,
      sales_invoice_id: invoice.id,
      position: index + 1,
      variant_id: line.variant.id,
      title: line.variant.title,
      quantity: line.quantity,
      unit_price: money(line.price),
      discount: money(line.discount),
      tax_percent: facts.taxPercent.toFixed(2),
      tax: money(line.tax),
      currency: tenant.currency,
      net: money(line.net),
      ...stamps(at, at),
    });
}

function writeCreditNote(desk: Desk, invoice: Invoice, credit: Credit, lines: readonly Posting[]): void {
  const { world, tenant } = desk;
  const id = world.id('erp.credit_note');
  const number = numbered('CN-', 6, desk.next('erp.credit_note'));
  world.emit('erp.credit_note', {
    id,
    tenant_id: tenant.id,
    number,
    status: 'issued',
    invoice_id: invoice.id,
    refund_id: credit.refund,
    reason: credit.reason,
    issued_at: instant(credit.at),
    currency: tenant.currency,
    net_total: money(credit.net),
    tax_total: money(credit.tax),
    total: money(credit.net + credit.tax),
    ...stamps(credit.at, credit.at),
  });
  desk.post({
    kind: 'credit',
    memo: `Credit note ${number}`,
    source: ['erp.credit_note', id],
    at: credit.at,
    lines,
  });
}

export interface PaymentFacts {
  readonly kind: 'receipt' | 'refund' | 'disbursement';
  readonly invoice: number | null;
  readonly bill: number | null;
  /** Payment of the shop it comes from. */
  readonly payment: number | null;
  readonly reference: string;
  readonly cents: number;
  readonly at: number;
}

export function writePayment({ world, tenant, next }: Desk, facts: PaymentFacts): number {
  const id = world.id('erp.payment');
  world.emit('erp.payment', {
    id,
    tenant_id: tenant.id,
    number: numbered('PM-', 7, next('erp.payment')),
    kind: facts.kind,
    invoice_id: facts.invoice,
    bill_id: facts.bill,
    order_payment_id: facts.payment,
    reference: facts.reference,
    amount: money(facts.cents),
    currency: tenant.currency,
    booked_at: instant(facts.at),
    ...stamps(facts.at, facts.at),
  });
  return id;
}
