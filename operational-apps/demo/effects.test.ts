import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { RecordRow, Records } from '../runtime/index.ts';
import { type TestRuntime, testRuntime } from '../runtime/testing.ts';
import { brokenRules } from './consistency.ts';
import { demoApps, fillDemo } from './fill.ts';

/** What the apps say follows from each step keeps the rules of the demo business. */
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let db: TestRuntime;
let records: Records;

const manager = {
  tenant: 'aurora',
  user: 'mona@aurora.example',
  roles: ['manager'],
  attributes: {},
  scopes: ['read', 'write'] as const,
};

beforeAll(async () => {
  db = await testRuntime(await demoApps());
  await fillDemo({ url: db.server.url, seed: 5, orders: 400, until: new Date('2026-11-22T00:00:00Z') });
  records = db.runtime.as(manager, { surface: 'web' });
});
afterAll(() => db?.[Symbol.asyncDispose]());

const holds = async (): Promise<void> => expect(await brokenRules(db.owner)).toEqual({});

async function first(entity: string, filter = {}): Promise<RecordRow> {
  const { rows } = await records.list(entity, { filter, first: 1 });
  expect(rows.length, `${entity} ${JSON.stringify(filter)}`).toBe(1);
  return rows[0]!.record;
}

const only = async (entity: string, field: string, id: string): Promise<RecordRow> =>
  first(entity, { [field]: { eq: id } });

/** An order for two pieces that are in stock, with its payment. */
async function placeOrder(onAccount: boolean): Promise<{ order: RecordRow; payment: RecordRow }> {
  const level = await first('commerce.inventory_level', { available: { gte: 5 } });
  const customer = await first('crm.account', { kind: { eq: 'company' } });
  const channel = await first('commerce.channel', { code: { eq: 'wholesale' } });
  const order = await records.create('commerce.order', {
    customer: customer.id,
    channel: channel.id,
    location: level.location!,
    currency: 'EUR',
    on_account: onAccount,
    item_count: '2',
    subtotal: '200.00',
    discount_total: '20.00',
    shipping_total: '5.00',
    tax_total: '34.20',
    ship_to_name: 'Reception',
    ship_to: { street: 'Main 1', city: 'Berlin', region: null, postal_code: '10115', country: 'DE' },
    lines: [
      {
        variant: level.variant!,
        title: 'Lamp',
        quantity: '2',
        unit_price: '100.00',
        unit_cost: '40.00',
        currency: 'EUR',
        discount: '20.00',
        tax_percent: '19',
        tax: '34.20',
      },
    ],
  });
  const payment = await records.create('commerce.payment', {
    order: order.id,
    method: 'transfer',
    amount: '219.20',
    currency: 'EUR',
    reference: `pay_${order.id}`,
  });
  return { order, payment };
}

test('an order that is paid is invoiced, settled and booked; shipped, returned and refunded, all agrees', async () => {
  const { order, payment } = await placeOrder(false);
  await holds();
  await records.transition('commerce.payment', payment.id, 'capture');
  await holds();
  const invoice = await only('erp.sales_invoice', 'order', order.id);
  expect(invoice).toMatchObject({ status: 'paid', total: '219.20', open_amount: '0.00' });
  await records.transition('commerce.order', order.id, 'ship', { carrier: 'Post', tracking: `T${order.id}` });
  await holds();
  const shipment = await only('commerce.shipment', 'order', order.id);
  await records.transition('commerce.shipment', shipment.id, 'deliver');
  expect(await records.get('commerce.order', order.id)).toMatchObject({ status: 'delivered' });

  const full = await records.get('commerce.order', order.id, { lines: { id: true, variant: true } });
  const [line] = full!.lines as unknown as { id: string; variant: string }[];
  const returned = await records.create('commerce.return_order', {
    order: order.id,
    reason: 'size',
    currency: 'EUR',
    lines: [
      {
        order_line: line!.id,
        variant: line!.variant,
        quantity: '2',
        amount: '214.20',
        tax: '34.20',
        currency: 'EUR',
      },
    ],
  });
  expect(returned).toMatchObject({ amount: '214.20', tax: '34.20' });
  await records.transition('commerce.return_order', returned.id, 'receive');
  await records.transition('commerce.return_order', returned.id, 'refund', { payment: payment.id });
  await holds();
  expect(await records.get('commerce.order', order.id)).toMatchObject({
    status: 'returned',
    refunded_total: '214.20',
  });
  expect(await only('erp.credit_note', 'invoice', invoice.id)).toMatchObject({
    total: '214.20',
    status: 'issued',
  });
});

test('an order on account is owed from the start, and cancelled is owed no more', async () => {
  const { order } = await placeOrder(true);
  await holds();
  const invoice = await only('erp.sales_invoice', 'order', order.id);
  expect(invoice).toMatchObject({ status: 'open', open_amount: '219.20' });
  await records.transition('commerce.order', order.id, 'cancel');
  await holds();
  expect(await records.get('erp.sales_invoice', invoice.id)).toMatchObject({
    status: 'credited',
    open_amount: '0.00',
  });
});

test('a paid order that is cancelled gives the money back', async () => {
  const { order, payment } = await placeOrder(true);
  await records.transition('commerce.payment', payment.id, 'capture');
  await holds();
  await records.transition('commerce.order', order.id, 'cancel_paid', { payment: payment.id });
  await holds();
  expect(await only('erp.sales_invoice', 'order', order.id)).toMatchObject({
    status: 'credited',
    refunded_total: '219.20',
  });
});

test('a purchase order that is received is stock, a bill and an entry; the bill is paid', async () => {
  const supplier = await first('erp.supplier');
  const level = await first('commerce.inventory_level');
  const variant = await records.get('commerce.variant', String(level.variant));
  const order = await records.create('erp.purchase_order', {
    supplier: supplier.id,
    location: level.location!,
    currency: 'EUR',
    lines: [{ variant: variant!.id, quantity: '7', unit_cost: variant!.cost!, currency: 'EUR' }],
  });
  await records.transition('erp.purchase_order', order.id, 'order');
  await records.transition('erp.purchase_order', order.id, 'receive', { bill_reference: 'R-1' });
  await holds();
  expect(await records.get('commerce.inventory_level', level.id)).toMatchObject({
    on_hand: Number(level.on_hand) + 7,
  });
  const bill = await only('erp.bill', 'purchase_order', order.id);
  expect(bill).toMatchObject({ status: 'open' });
  await records.transition('erp.bill', bill.id, 'pay');
  await holds();
});

test('an entry that does not balance is not posted', async () => {
  const account = await first('erp.ledger_account', { code: { eq: '1000' } });
  const entry = await records.create('erp.journal_entry', {
    kind: 'manual',
    memo: 'One-sided',
    currency: 'EUR',
    lines: [
      { account: account.id, debit: '10.00', currency: 'EUR' },
      { account: account.id, credit: '9.00', currency: 'EUR' },
    ],
  });
  await expect(records.transition('erp.journal_entry', entry.id, 'post')).rejects.toMatchObject({
    code: 'TRANSITION_REFUSED',
  });
  await records.delete('erp.journal_entry', entry.id);
});

test('a ticket has its clocks, is answered, solved and closed', async () => {
  const customer = await first('crm.account');
  const author = await first('crm.team_member', { role: { eq: 'support' } });
  const ticket = await records.create('support.ticket', {
    subject: 'Where is it?',
    customer: customer.id,
    category: 'delivery',
    priority: 'high',
  });
  await records.transition('support.ticket', ticket.id, 'answer', { body: 'On its way.', author: author.id });
  await holds();
  await records.transition('support.ticket', ticket.id, 'solve');
  await holds();
  await records.transition('support.ticket', ticket.id, 'close');
  await holds();
});

test('a lead becomes a customer with a contact and a deal, which is won', async () => {
  const owner = await first('crm.team_member', { role: { eq: 'sales' } });
  const lead = await records.create('crm.lead', {
    company: 'Atlas Hotels',
    contact_name: 'Ada Lang',
    email: 'ada@atlas.example',
    region: 'DE',
    source: 'referral',
    owner: owner.id,
  });
  await records.transition('crm.lead', lead.id, 'contact');
  await records.transition('crm.lead', lead.id, 'qualify');
  await records.transition('crm.lead', lead.id, 'convert', {
    amount: '1200.00',
    currency: 'EUR',
    first_name: 'Ada',
    last_name: 'Lang',
  });
  await holds();
  const deal = await only('crm.opportunity', 'lead', lead.id);
  await records.transition('crm.opportunity', deal.id, 'propose');
  await records.transition('crm.opportunity', deal.id, 'win');
  await holds();
  expect(await records.get('crm.account', String(deal.account))).toMatchObject({ status: 'active' });
});

const as = (role: string, user = `${role}@aurora.example`): Records =>
  db.runtime.as({ ...manager, user, roles: [role] }, { surface: 'web' });

test('each role sees what it works with', async () => {
  const variant = await first('commerce.variant');
  expect(variant.cost).toBeDefined();
  const seen = await as('support').get('commerce.variant', variant.id);
  expect(seen).toMatchObject({ sku: variant.sku, price: variant.price });
  expect(seen).not.toHaveProperty('cost');
  await expect(as('support').list('commerce.variant', { sort: ['cost'] })).rejects.toMatchObject({
    code: 'FIELD_DENIED',
  });
  const order = await first('commerce.order', { status: { eq: 'delivered' } });
  const lines = { lines: { id: true, quantity: true, unit_cost: true } } as const;
  await expect(as('sales').get('commerce.order', order.id, lines)).rejects.toMatchObject({
    code: 'FIELD_DENIED',
  });
  expect(await as('warehouse').get('commerce.order', order.id)).not.toHaveProperty('total');
  // Rows: a seller sees private notes of no ticket, and invoices of nobody else's customers.
  expect((await as('sales').list('support.reply', { filter: { direction: { eq: 'note' } } })).rows).toEqual(
    [],
  );
  expect(
    (await as('support').list('support.reply', { filter: { direction: { eq: 'note' } } })).rows.length,
  ).toBeGreaterThan(0);
  expect((await as('sales').list('erp.sales_invoice', {})).rows).toEqual([]);
  await expect(as('marketing').list('erp.journal_entry', {})).rejects.toMatchObject({
    code: 'PERMISSION_DENIED',
  });
  // A seller moves only their own deals.
  const owner = await first('crm.team_member', { role: { eq: 'sales' } });
  const customer = await first('crm.account');
  const deal = await records.create('crm.opportunity', {
    name: 'Refit',
    account: customer.id,
    owner: owner.id,
    amount: '900.00',
    currency: 'EUR',
    expected_close_on: '2027-01-31',
  });
  await expect(as('sales').transition('crm.opportunity', deal.id, 'propose')).rejects.toMatchObject({
    code: expect.stringMatching(/^(PERMISSION_DENIED|RECORD_NOT_FOUND)$/),
  });
  expect(
    await as('sales', String(owner.email)).transition('crm.opportunity', deal.id, 'propose'),
  ).toMatchObject({ stage: 'proposal', probability: 40 });
});
