import { by, equals, type Question, week } from './question.ts';

const today = "(now() AT TIME ZONE 'UTC')::date";
const sold = (
  days: number,
): string => `coalesce((SELECT sum(-m.quantity) FROM commerce.stock_move m WHERE m.reason = 'sale'
  AND m.variant_id = l.variant_id AND m.location_id = l.location_id
  AND (m.moved_at AT TIME ZONE 'UTC')::date >= ${today} - ${days}), 0) * v.cost`;
const stock = `FROM commerce.inventory_level l JOIN commerce.variant v ON v.id = l.variant_id
  JOIN commerce.location p ON p.id = l.location_id`;

export const INVENTORY: readonly Question[] = [
  {
    ask: 'What is in stock and what is it worth, by location?',
    query: {
      measures: ['inventory.pieces', 'inventory.available_pieces', 'inventory.stock_value'],
      dimensions: ['inventory.location_name', 'inventory.variant_currency'],
    },
    sql: `SELECT p.name, v.currency, sum(l.on_hand), sum(l.available), sum(l.on_hand * v.cost) ${stock} GROUP BY 1, 2`,
  },
  {
    ask: 'How much is to be reordered, and how much has run out, by brand?',
    query: {
      measures: ['inventory.to_reorder_count', 'inventory.out_of_stock', 'inventory.out_of_stock_rate'],
      dimensions: ['inventory.product_brand'],
    },
    sql: `SELECT d.brand, count(*) FILTER (WHERE l.available < l.reorder_point), count(*) FILTER (WHERE l.available <= 0),
      count(*) FILTER (WHERE l.available <= 0)::numeric / count(*) ${stock} JOIN commerce.product d ON d.id = v.product_id
      GROUP BY 1`,
  },
  {
    ask: 'How often does stock turn, by currency?',
    query: {
      measures: ['inventory_turnover.inventory_turns', 'inventory_turnover.cost_of_sales'],
      dimensions: ['inventory_turnover.currency'],
    },
    sql: `SELECT v.currency, sum(${sold(365)}) / nullif(sum(l.on_hand * v.cost), 0), sum(${sold(365)}) ${stock} GROUP BY 1`,
  },
  {
    ask: 'For how many days does stock last, by location?',
    query: {
      measures: ['inventory_turnover.days_of_stock'],
      dimensions: ['inventory_turnover.location_name', 'inventory_turnover.currency'],
    },
    sql: `SELECT p.name, v.currency, 90 * sum(l.on_hand * v.cost) / nullif(sum(${sold(90)}), 0) ${stock} GROUP BY 1, 2`,
  },
  {
    ask: 'What came and went by week of the last quarter?',
    query: {
      measures: ['stock_movements.received', 'stock_movements.sold', 'stock_movements.returned'],
      ...by('stock_movements.moved_at', 'week', ['2026-09-01', '2026-11-30']),
    },
    sql: `SELECT ${week('moved_at')}, sum(quantity) FILTER (WHERE reason = 'receipt'), -sum(quantity) FILTER (WHERE reason = 'sale'),
      sum(quantity) FILTER (WHERE reason = 'return') FROM commerce.stock_move
      WHERE moved_at >= '2026-09-01Z' AND moved_at < '2026-12-01Z' GROUP BY 1`,
  },
  {
    ask: 'What was bought from each supplier, and how long does it take?',
    query: {
      measures: ['purchasing.ordered_value', 'purchasing.on_order_value', 'purchasing.lead_time'],
      dimensions: ['purchasing.supplier_name', 'purchasing.currency'],
    },
    sql: `SELECT s.name, p.currency, sum(p.total) FILTER (WHERE p.status IN ('ordered', 'received')),
      sum(p.total) FILTER (WHERE p.status = 'ordered'),
      avg((p.received_at AT TIME ZONE 'UTC')::date - p.ordered_on) FILTER (WHERE p.status = 'received')
      FROM erp.purchase_order p JOIN erp.supplier s ON s.id = p.supplier_id GROUP BY 1, 2`,
  },
  {
    ask: 'Which purchase orders of Kestrel are late?',
    query: { measures: ['purchasing.late_orders'], filters: [equals('purchasing.tenant_id', 'kestrel')] },
    sql: `SELECT count(*) FROM erp.purchase_order WHERE tenant_id = 'kestrel' AND status = 'ordered' AND expected_on < ${today}`,
  },
];
