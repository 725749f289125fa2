import { by, equals, month, type Question, week } from './question.ts';

const valid = "o.status <> 'cancelled'";
const sales = 'o.subtotal - o.discount_total + o.shipping_total';
const orders = 'FROM commerce."order" o';

export const SALES: readonly Question[] = [
  {
    ask: 'How many orders are there by currency?',
    query: { measures: ['sales.order_count'], dimensions: ['sales.currency'] },
    sql: `SELECT o.currency, count(*) ${orders} WHERE ${valid} GROUP BY 1`,
  },
  {
    ask: 'What is gross revenue by month?',
    query: {
      measures: ['sales.gross_revenue'],
      dimensions: ['sales.currency'],
      ...by('sales.placed_at', 'month'),
    },
    sql: `SELECT o.currency, ${month('o.placed_at')}, sum(o.subtotal + o.shipping_total) FILTER (WHERE ${valid})
      ${orders} GROUP BY 1, 2`,
  },
  {
    ask: 'What is net revenue by currency?',
    query: { measures: ['sales.net_revenue'], dimensions: ['sales.currency'] },
    sql: `SELECT o.currency, sum(${sales} - coalesce(r.net, 0)) FILTER (WHERE ${valid}) ${orders}
      LEFT JOIN (SELECT order_id, sum(amount - tax) AS net FROM commerce.refund GROUP BY 1) r ON r.order_id = o.id
      GROUP BY 1`,
  },
  {
    ask: 'What is net revenue by channel?',
    query: {
      measures: ['sales.net_revenue', 'sales.refunded'],
      dimensions: ['sales.channel_name', 'sales.currency'],
    },
    sql: `SELECT c.name, o.currency, sum(${sales} - coalesce(r.net, 0)) FILTER (WHERE ${valid}),
      sum(coalesce(r.net, 0)) FILTER (WHERE ${valid}) ${orders} JOIN commerce.channel c ON c.id = o.channel_id
      LEFT JOIN (SELECT order_id, sum(amount - tax) AS net FROM commerce.refund GROUP BY 1) r ON r.order_id = o.id
      GROUP BY 1, 2`,
  },
  {
    ask: 'What is the average order value by customer segment?',
    query: {
      measures: ['sales.average_order_value'],
      dimensions: ['sales.customer_segment', 'sales.currency'],
    },
    sql: `SELECT a.segment, o.currency, sum(${sales}) FILTER (WHERE ${valid}) / nullif(count(*) FILTER (WHERE ${valid}), 0)
      ${orders} JOIN crm.account a ON a.id = o.customer_id GROUP BY 1, 2`,
  },
  {
    ask: 'How many customers are new and how many come back, by week of the last half year?',
    query: {
      measures: ['sales.new_customers', 'sales.repeat_customers'],
      ...by('sales.placed_at', 'week', ['2026-06-01', '2026-11-30']),
    },
    sql: `SELECT ${week('o.placed_at')}, count(DISTINCT o.customer_id) FILTER (WHERE ${valid} AND o.first_order),
      count(DISTINCT o.customer_id) FILTER (WHERE ${valid} AND NOT o.first_order) ${orders}
      WHERE o.placed_at >= '2026-06-01Z' AND o.placed_at < '2026-12-01Z' GROUP BY 1`,
  },
  {
    ask: 'Which share of customers had ordered before?',
    query: { measures: ['sales.repeat_customer_rate', 'sales.buyers'], dimensions: ['sales.tenant_id'] },
    sql: `SELECT o.tenant_id, count(DISTINCT o.customer_id) FILTER (WHERE ${valid} AND NOT o.first_order)::numeric
      / count(DISTINCT o.customer_id) FILTER (WHERE ${valid}), count(DISTINCT o.customer_id) FILTER (WHERE ${valid})
      ${orders} GROUP BY 1`,
  },
  {
    ask: 'Which share of orders is cancelled, by kind of channel?',
    query: { measures: ['sales.cancellation_rate'], dimensions: ['sales.channel_kind'] },
    sql: `SELECT c.kind, count(*) FILTER (WHERE o.status = 'cancelled')::numeric / count(*) ${orders}
      JOIN commerce.channel c ON c.id = o.channel_id GROUP BY 1`,
  },
  {
    ask: 'How much do discounts take off, by currency?',
    query: { measures: ['sales.discounts', 'sales.discount_rate'], dimensions: ['sales.currency'] },
    sql: `SELECT o.currency, sum(o.discount_total), sum(o.discount_total) / sum(o.subtotal + o.shipping_total)
      ${orders} WHERE ${valid} GROUP BY 1`,
  },
  {
    ask: 'How many pieces does an order have, for new and repeat customers?',
    query: { measures: ['sales.items', 'sales.items_per_order'], dimensions: ['sales.customer_type'] },
    sql: `SELECT CASE WHEN o.first_order THEN 'new' ELSE 'repeat' END, sum(o.item_count),
      sum(o.item_count)::numeric / count(*) ${orders} WHERE ${valid} GROUP BY 1`,
  },
  {
    ask: 'Of which share of orders was something paid back, by country?',
    query: {
      measures: ['sales.refunded_orders', 'sales.refund_rate'],
      dimensions: ['sales.ship_to_country'],
    },
    sql: `SELECT o.ship_to_country, count(*) FILTER (WHERE o.refunded_total > 0),
      count(*) FILTER (WHERE o.refunded_total > 0)::numeric / count(*) ${orders} WHERE ${valid} GROUP BY 1`,
  },
  {
    ask: 'What was billed in all, with tax, on account and not?',
    query: { measures: ['sales.billed', 'sales.tax'], dimensions: ['sales.on_account', 'sales.currency'] },
    sql: `SELECT o.on_account, o.currency, sum(o.total) FILTER (WHERE ${valid}), sum(o.tax_total) FILTER (WHERE ${valid})
      ${orders} GROUP BY 1, 2`,
  },
  {
    ask: 'Which regions buy most often per customer?',
    query: {
      measures: ['sales.orders_per_customer'],
      dimensions: ['sales.customer_region'],
      segments: ['sales.valid'],
    },
    sql: `SELECT a.region, count(*)::numeric / count(DISTINCT o.customer_id) ${orders}
      JOIN crm.account a ON a.id = o.customer_id WHERE ${valid} GROUP BY 1`,
  },
  {
    ask: 'What did Aurora sell through each campaign?',
    query: {
      measures: ['sales.sales', 'sales.order_count'],
      dimensions: ['sales.campaign_name'],
      filters: [equals('sales.tenant_id', 'aurora'), { member: 'sales.campaign_name', operator: 'set' }],
    },
    sql: `SELECT c.name, sum(${sales}) FILTER (WHERE ${valid}), count(*) FILTER (WHERE ${valid}) ${orders}
      JOIN commerce.campaign c ON c.id = o.campaign_id WHERE o.tenant_id = 'aurora' GROUP BY 1`,
  },
  {
    ask: 'What is the gross margin by brand?',
    query: {
      measures: [
        'product_sales.goods_revenue',
        'product_sales.cost_of_goods',
        'product_sales.gross_margin',
        'product_sales.gross_margin_rate',
      ],
      dimensions: ['product_sales.product_brand', 'product_sales.currency'],
      filters: [{ member: 'product_sales.status', operator: 'notEquals', values: ['cancelled'] }],
    },
    sql: `SELECT p.brand, l.currency, sum(l.net), sum(l.quantity * l.unit_cost), sum(l.net - l.quantity * l.unit_cost),
      sum(l.net - l.quantity * l.unit_cost) / sum(l.net)
      FROM commerce.order_line l JOIN commerce."order" o ON o.id = l.order_id JOIN commerce.variant v ON v.id = l.variant_id
      JOIN commerce.product p ON p.id = v.product_id WHERE ${valid} GROUP BY 1, 2`,
  },
  {
    ask: 'How many pieces of each collection were sold by month?',
    query: {
      measures: ['product_sales.units'],
      dimensions: ['product_sales.collection_name'],
      filters: [{ member: 'product_sales.status', operator: 'notEquals', values: ['cancelled'] }],
      ...by('product_sales.placed_at', 'month'),
    },
    sql: `SELECT k.name, ${month('o.placed_at')}, sum(l.quantity) FROM commerce.order_line l
      JOIN commerce."order" o ON o.id = l.order_id JOIN commerce.variant v ON v.id = l.variant_id
      JOIN commerce.product p ON p.id = v.product_id JOIN commerce.collection k ON k.id = p.collection_id
      WHERE ${valid} GROUP BY 1, 2`,
  },
  {
    ask: 'What came back and why?',
    query: {
      measures: ['returns_and_refunds.return_count', 'returns_and_refunds.returned_value'],
      dimensions: ['returns_and_refunds.reason', 'returns_and_refunds.currency'],
    },
    sql: `SELECT reason, currency, count(*) FILTER (WHERE status <> 'rejected'),
      sum(amount) FILTER (WHERE status <> 'rejected') FROM commerce.return_order GROUP BY 1, 2`,
  },
  {
    ask: 'Orders and pieces in one question: is anything counted twice?',
    query: {
      measures: ['orders.billed', 'orders.order_count', 'order_lines.units'],
      dimensions: ['orders.currency'],
    },
    sql: `SELECT o.currency, sum(o.total) FILTER (WHERE ${valid}), count(*) FILTER (WHERE ${valid}),
      sum(o.item_count) FILTER (WHERE ${valid}) ${orders} WHERE EXISTS
      (SELECT FROM commerce.order_line l WHERE l.order_id = o.id) GROUP BY 1`,
  },
];
