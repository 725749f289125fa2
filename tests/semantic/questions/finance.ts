import { by, dateMonth, month, type Question } from './question.ts';

const today = "(now() AT TIME ZONE 'UTC')::date";
const sent = "i.status NOT IN ('draft', 'cancelled')";
const invoices = 'FROM erp.sales_invoice i';
const posted = `FROM erp.journal_line l JOIN erp.journal_entry e ON e.id = l.journal_entry_id
  JOIN erp.ledger_account a ON a.id = l.account_id`;

export const FINANCE: readonly Question[] = [
  {
    ask: 'How old are receivables?',
    query: {
      measures: ['receivables.receivables'],
      dimensions: ['receivables.ageing', 'receivables.currency'],
      filters: [{ member: 'receivables.status', operator: 'equals', values: ['open'] }],
    },
    sql: `SELECT CASE WHEN i.due_on >= ${today} THEN 'not due' WHEN ${today} - i.due_on <= 30 THEN '1-30 days'
      WHEN ${today} - i.due_on <= 60 THEN '31-60 days' WHEN ${today} - i.due_on <= 90 THEN '61-90 days' ELSE 'over 90 days' END,
      i.currency, sum(i.open_amount) ${invoices} WHERE i.status = 'open' GROUP BY 1, 2`,
  },
  {
    ask: 'Which share of receivables is overdue, by currency?',
    query: {
      measures: ['receivables.overdue', 'receivables.overdue_rate'],
      dimensions: ['receivables.currency'],
    },
    sql: `SELECT i.currency, sum(i.open_amount) FILTER (WHERE i.status = 'open' AND i.due_on < ${today}),
      sum(i.open_amount) FILTER (WHERE i.status = 'open' AND i.due_on < ${today}) / nullif(sum(i.open_amount) FILTER (WHERE i.status = 'open'), 0)
      ${invoices} GROUP BY 1`,
  },
  {
    ask: 'What was invoiced and collected by month?',
    query: {
      measures: ['receivables.invoice_count', 'receivables.invoiced', 'receivables.collected'],
      dimensions: ['receivables.currency'],
      ...by('receivables.issued_at', 'month'),
    },
    sql: `SELECT i.currency, ${month('i.issued_at')}, count(*) FILTER (WHERE ${sent}), sum(i.total) FILTER (WHERE ${sent}),
      sum(i.paid_total - i.refunded_total) FILTER (WHERE ${sent}) ${invoices} GROUP BY 1, 2`,
  },
  {
    ask: 'In how many days do customers pay?',
    query: { measures: ['receivables.days_sales_outstanding'], dimensions: ['receivables.currency'] },
    sql: `SELECT i.currency, 90 * sum(i.open_amount) FILTER (WHERE i.status = 'open') / nullif(sum(i.total)
      FILTER (WHERE ${sent} AND (i.issued_at AT TIME ZONE 'UTC')::date >= ${today} - 90), 0) ${invoices} GROUP BY 1`,
  },
  {
    ask: 'What do we owe each supplier?',
    query: {
      measures: ['payables.billed', 'payables.payables', 'payables.overdue_payables'],
      dimensions: ['payables.supplier_name', 'payables.currency'],
    },
    sql: `SELECT s.name, b.currency, sum(b.total) FILTER (WHERE b.status IN ('open', 'paid')),
      sum(b.open_amount) FILTER (WHERE b.status = 'open'),
      sum(b.open_amount) FILTER (WHERE b.status = 'open' AND b.due_on < ${today})
      FROM erp.bill b JOIN erp.supplier s ON s.id = b.supplier_id GROUP BY 1, 2`,
  },
  {
    ask: 'What came in and went out by month?',
    query: {
      measures: ['cash_flow.received', 'cash_flow.paid_out', 'cash_flow.net_cash'],
      dimensions: ['cash_flow.currency'],
      ...by('cash_flow.booked_at', 'month'),
    },
    sql: `SELECT p.currency, ${month('p.booked_at')}, sum(p.amount) FILTER (WHERE p.kind = 'receipt'),
      sum(p.amount) FILTER (WHERE p.kind <> 'receipt'), sum(CASE WHEN p.kind = 'receipt' THEN p.amount ELSE -p.amount END)
      FROM erp.payment p GROUP BY 1, 2`,
  },
  {
    ask: 'What is left as profit by month?',
    query: {
      measures: ['profit_and_loss.income', 'profit_and_loss.expenses', 'profit_and_loss.profit'],
      dimensions: ['profit_and_loss.currency'],
      ...by('profit_and_loss.entry_posted_on', 'month'),
    },
    sql: `SELECT l.currency, ${dateMonth('e.posted_on')}, sum(l.credit - l.debit) FILTER (WHERE e.status = 'posted' AND a.kind = 'income'),
      sum(l.debit - l.credit) FILTER (WHERE e.status = 'posted' AND a.kind = 'expense'),
      coalesce(sum(l.credit - l.debit) FILTER (WHERE e.status = 'posted' AND a.kind = 'income'), 0)
      - coalesce(sum(l.debit - l.credit) FILTER (WHERE e.status = 'posted' AND a.kind = 'expense'), 0)
      ${posted} GROUP BY 1, 2`,
  },
  {
    ask: 'What is the balance of each account?',
    query: {
      measures: ['profit_and_loss.debits', 'profit_and_loss.credits', 'profit_and_loss.balance'],
      dimensions: ['profit_and_loss.account_code', 'profit_and_loss.entry_tenant_id'],
    },
    sql: `SELECT a.code, e.tenant_id, sum(l.debit), sum(l.credit), sum(l.debit - l.credit) ${posted}
      WHERE e.status = 'posted' GROUP BY 1, 2`,
  },
];
