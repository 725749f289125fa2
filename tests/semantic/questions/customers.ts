import { dateMonth, type Question } from './question.ts';

const lifetimes = `(SELECT customer_id, max(placed_at) AS last_at, count(*) AS orders, min(currency) AS currency,
  sum(subtotal - discount_total + shipping_total) AS sales
  FROM commerce."order" WHERE status <> 'cancelled' GROUP BY 1) o`;
const today = "(now() AT TIME ZONE 'UTC')::date";
const grid = `(SELECT c.customer_id, c.cohort, m.month, EXISTS (SELECT FROM commerce."order" x
    WHERE x.customer_id = c.customer_id AND x.status <> 'cancelled'
    AND date_trunc('month', x.placed_at AT TIME ZONE 'UTC') = c.cohort + m.month * interval '1 month') AS ordered
  FROM (SELECT customer_id, date_trunc('month', min(placed_at AT TIME ZONE 'UTC')) AS cohort FROM commerce."order"
    WHERE status <> 'cancelled' GROUP BY 1) c
  CROSS JOIN LATERAL generate_series(0, (SELECT extract(year FROM age(date_trunc('month', ${today}), c.cohort)) * 12
    + extract(month FROM age(date_trunc('month', ${today}), c.cohort)))::integer) AS m(month)) g`;

export const CUSTOMERS: readonly Question[] = [
  {
    ask: 'How many customers are active, dormant or still prospects, by segment?',
    query: {
      measures: [
        'customer_base.count',
        'customer_base.active',
        'customer_base.dormant',
        'customer_base.prospects',
      ],
      dimensions: ['customer_base.segment'],
    },
    sql: `SELECT segment, count(*), count(*) FILTER (WHERE status = 'active'), count(*) FILTER (WHERE status = 'dormant'),
      count(*) FILTER (WHERE status = 'prospect') FROM crm.account GROUP BY 1`,
  },
  {
    ask: 'Which share of customers agreed to marketing, by what brought them?',
    query: { measures: ['customer_base.consent_rate'], dimensions: ['customer_base.acquired_through'] },
    sql: `SELECT acquired_through, count(*) FILTER (WHERE marketing_consent)::numeric / count(*) FROM crm.account GROUP BY 1`,
  },
  {
    ask: 'What is the churn rate by segment?',
    query: {
      measures: ['customer_value.customer_count', 'customer_value.churned', 'customer_value.churn_rate'],
      dimensions: ['customer_value.segment'],
    },
    sql: `SELECT a.segment, count(*), count(*) FILTER (WHERE (o.last_at AT TIME ZONE 'UTC')::date < ${today} - 180),
      count(*) FILTER (WHERE (o.last_at AT TIME ZONE 'UTC')::date < ${today} - 180)::numeric / count(*)
      FROM ${lifetimes} JOIN crm.account a ON a.id = o.customer_id GROUP BY 1`,
  },
  {
    ask: 'How many customers come back and what are they worth, by what brought them?',
    query: {
      measures: [
        'customer_value.returning_rate',
        'customer_value.lifetime_value',
        'customer_value.lifetime_orders',
      ],
      dimensions: ['customer_value.acquired_through', 'customer_value.currency'],
    },
    sql: `SELECT a.acquired_through, o.currency, count(*) FILTER (WHERE o.orders > 1)::numeric / count(*),
      sum(o.sales) / count(*), avg(o.orders) FROM ${lifetimes} JOIN crm.account a ON a.id = o.customer_id GROUP BY 1, 2`,
  },
  {
    ask: 'Which share of each cohort ordered again, month by month?',
    query: {
      measures: [
        'customer_retention.cohort_customers',
        'customer_retention.retained',
        'customer_retention.retention_rate',
      ],
      dimensions: ['customer_retention.month'],
      timeDimensions: [{ dimension: 'customer_retention.cohort', granularity: 'month' }],
      limit: 10_000,
    },
    sql: `SELECT month, ${dateMonth('cohort')}, count(*), count(*) FILTER (WHERE ordered),
      count(*) FILTER (WHERE ordered)::numeric / count(*) FROM ${grid} GROUP BY 1, 2`,
  },
  {
    ask: 'What is retention after three months, by segment?',
    query: {
      measures: ['customer_retention.retention_rate'],
      dimensions: ['customer_retention.segment'],
      filters: [{ member: 'customer_retention.month', operator: 'equals', values: ['3'] }],
    },
    sql: `SELECT a.segment, count(*) FILTER (WHERE g.ordered)::numeric / count(*) FROM ${grid}
      JOIN crm.account a ON a.id = g.customer_id WHERE g.month = 3 GROUP BY 1`,
  },
];
