/** Balance of the account of a number, per tenant. */
const balance = (code: string): string => `(
    SELECT a.tenant_id, coalesce(sum(l.debit - l.credit), 0) AS amount FROM erp.ledger_account a
    LEFT JOIN erp.journal_line l ON l.account_id = a.id WHERE a.code = '${code}' GROUP BY 1)`;

/** What holds in the books at every commit, and between them and the shop. */
export const BOOK_RULES: Readonly<Record<string, string>> = {
  'a journal entry balances and is worth its debits': `
    SELECT e.id FROM erp.journal_entry e LEFT JOIN (SELECT journal_entry_id, sum(debit) AS debit, sum(credit) AS credit
      FROM erp.journal_line GROUP BY 1) l ON l.journal_entry_id = e.id
    WHERE l.debit IS DISTINCT FROM l.credit OR l.debit IS DISTINCT FROM e.total`,
  'a journal line is on one side': `
    SELECT id FROM erp.journal_line WHERE debit < 0 OR credit < 0 OR (debit = 0) = (credit = 0)`,
  'the ledger of a tenant balances': `
    SELECT tenant_id FROM erp.journal_line GROUP BY 1 HAVING sum(debit) <> sum(credit)`,
  'an invoice agrees with its order': `
    SELECT i.id FROM erp.sales_invoice i JOIN commerce."order" o ON o.id = i.order_id
    WHERE i.customer_id <> o.customer_id OR i.currency <> o.currency OR i.total <> o.total
      OR i.net_total <> o.subtotal - o.discount_total OR i.shipping_total <> o.shipping_total OR i.tax_total <> o.tax_total`,
  'an invoice has the lines of its order': `
    SELECT order_id FROM (
      SELECT i.order_id, l.variant_id, l.quantity, l.net, l.tax FROM erp.sales_invoice_line l
        JOIN erp.sales_invoice i ON i.id = l.sales_invoice_id
      UNION ALL SELECT o.order_id, o.variant_id, o.quantity, o.net, o.tax FROM commerce.order_line o
        JOIN erp.sales_invoice i ON i.order_id = o.order_id) both_sides
    GROUP BY order_id, variant_id, quantity, net, tax HAVING count(*) % 2 = 1`,
  'an order that was paid since the books were opened has an invoice': `
    SELECT o.id FROM commerce."order" o JOIN erp.book b ON b.tenant_id = o.tenant_id
    LEFT JOIN erp.sales_invoice i ON i.order_id = o.id
    WHERE o.placed_at >= b.opened_on AND i.id IS NULL
      AND (o.status IN ('paid', 'shipped', 'delivered', 'returned') OR o.refunded_total > 0 OR (o.on_account AND o.status = 'placed'))`,
  'an invoice knows what was paid, credited and refunded': `
    SELECT i.id FROM erp.sales_invoice i
    LEFT JOIN (SELECT invoice_id, sum(amount) FILTER (WHERE kind = 'receipt') AS paid,
      sum(amount) FILTER (WHERE kind = 'refund') AS refunded FROM erp.payment GROUP BY 1) p ON p.invoice_id = i.id
    LEFT JOIN (SELECT invoice_id, sum(total) AS total FROM erp.credit_note WHERE status = 'issued' GROUP BY 1) c
      ON c.invoice_id = i.id
    WHERE (i.paid_total, i.refunded_total, i.credited_total)
      <> (coalesce(p.paid, 0), coalesce(p.refunded, 0), coalesce(c.total, 0))`,
  'an invoice that is settled has nothing open': `
    SELECT id FROM erp.sales_invoice WHERE (status IN ('paid', 'credited')) <> (open_amount = 0)
      OR (status = 'credited') <> (credited_total = total)`,
  'money from a customer is the payment of the order': `
    SELECT p.id FROM erp.payment p JOIN commerce.payment c ON c.id = p.order_payment_id
    JOIN erp.sales_invoice i ON i.id = p.invoice_id
    WHERE c.status <> 'captured' OR c.amount <> p.amount OR c.order_id <> i.order_id`,
  'a refund of an order with an invoice has its credit note': `
    SELECT r.id FROM commerce.refund r JOIN erp.sales_invoice i ON i.order_id = r.order_id
    LEFT JOIN erp.credit_note n ON n.refund_id = r.id AND n.invoice_id = i.id WHERE n.total IS DISTINCT FROM r.amount`,
  'receivables are the open invoices': `
    SELECT b.tenant_id FROM ${balance('1200')} b LEFT JOIN (SELECT tenant_id, sum(open_amount) AS amount
      FROM erp.sales_invoice WHERE status IN ('open', 'paid', 'credited') GROUP BY 1) i ON i.tenant_id = b.tenant_id
    WHERE b.amount <> coalesce(i.amount, 0)`,
  'payables are the open bills': `
    SELECT b.tenant_id FROM ${balance('1600')} b LEFT JOIN (SELECT tenant_id, sum(open_amount) AS amount
      FROM erp.bill WHERE status IN ('open', 'paid') GROUP BY 1) i ON i.tenant_id = b.tenant_id
    WHERE -b.amount <> coalesce(i.amount, 0)`,
  'the inventory account is what the stock is worth': `
    SELECT b.tenant_id FROM ${balance('1400')} b LEFT JOIN (SELECT i.tenant_id, sum(i.on_hand * v.cost) AS amount
      FROM commerce.inventory_level i JOIN commerce.variant v ON v.id = i.variant_id GROUP BY 1) s ON s.tenant_id = b.tenant_id
    WHERE b.amount <> coalesce(s.amount, 0)`,
  'a bill is what was received for its purchase order': `
    SELECT b.id FROM erp.bill b LEFT JOIN (SELECT g.purchase_order_id, sum(l.quantity * l.unit_cost) AS amount
      FROM erp.goods_receipt g JOIN erp.receipt_line l ON l.goods_receipt_id = g.id GROUP BY 1) g
      ON g.purchase_order_id = b.purchase_order_id
    JOIN erp.purchase_order o ON o.id = b.purchase_order_id
    WHERE b.total IS DISTINCT FROM g.amount OR o.total <> b.total OR o.status <> 'received'`,
  'a bill knows what was paid': `
    SELECT b.id FROM erp.bill b LEFT JOIN (SELECT bill_id, sum(amount) AS amount FROM erp.payment GROUP BY 1) p
      ON p.bill_id = b.id
    WHERE b.paid_total <> coalesce(p.amount, 0) OR (b.status = 'paid') <> (b.open_amount = 0)`,
  'gapless numbers have no gap': `
    SELECT tenant_id FROM (
      SELECT tenant_id, count(*) AS rows, max(substr(number, 5)::bigint) AS high FROM erp.sales_invoice GROUP BY 1
      UNION ALL SELECT tenant_id, count(*), max(substr(number, 4)::bigint) FROM erp.journal_entry GROUP BY 1) n
    WHERE rows <> high`,
};
