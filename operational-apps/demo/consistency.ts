import type { Queryable } from '../planner/index.ts';
import { APP_RULES } from './consistency-apps.ts';
import { BOOK_RULES } from './consistency-books.ts';

/** What must hold in the demo's tables at every commit: name of the rule, query for rows that break it. */
const RULES: Readonly<Record<string, string>> = {
  ...BOOK_RULES,
  ...APP_RULES,
  'an order adds up from its lines': `
    SELECT o.id FROM commerce."order" o
    LEFT JOIN (SELECT order_id, sum(quantity * unit_price) AS gross, sum(discount) AS discount, sum(tax) AS tax,
      sum(quantity) AS pieces FROM commerce.order_line GROUP BY order_id) l ON l.order_id = o.id
    WHERE (o.subtotal, o.discount_total, o.tax_total, o.item_count)
      IS DISTINCT FROM (l.gross, l.discount, l.tax, l.pieces)`,
  'a paid order was paid in full, once': `
    SELECT o.id FROM commerce."order" o
    LEFT JOIN (SELECT order_id, sum(amount) AS paid FROM commerce.payment WHERE status = 'captured' GROUP BY order_id) p
      ON p.order_id = o.id
    WHERE o.status IN ('paid', 'shipped', 'delivered', 'returned') AND p.paid IS DISTINCT FROM o.total`,
  'an unpaid order has taken no money': `
    SELECT o.id FROM commerce."order" o JOIN commerce.payment p ON p.order_id = o.id
    WHERE o.status = 'placed' AND p.status = 'captured'`,
  'what was refunded is the sum of the refunds and at most what was paid': `
    SELECT o.id FROM commerce."order" o
    LEFT JOIN (SELECT order_id, sum(amount) AS amount FROM commerce.refund GROUP BY order_id) r ON r.order_id = o.id
    WHERE coalesce(r.amount, 0) <> o.refunded_total OR o.refunded_total > o.total`,
  'a return is worth its lines': `
    SELECT r.id FROM commerce.return_order r
    LEFT JOIN (SELECT return_order_id, sum(amount) AS amount, sum(tax) AS tax FROM commerce.return_line GROUP BY 1) l
      ON l.return_order_id = r.id
    WHERE (l.amount, l.tax) IS DISTINCT FROM (r.amount, r.tax)`,
  'an order that has left has one shipment, others none': `
    SELECT o.id FROM commerce."order" o LEFT JOIN commerce.shipment s ON s.order_id = o.id
    GROUP BY o.id, o.status
    HAVING count(s.id) <> CASE WHEN o.status IN ('shipped', 'delivered', 'returned') THEN 1 ELSE 0 END`,
  'stock on hand is the sum of its moves': `
    SELECT i.id FROM commerce.inventory_level i
    LEFT JOIN (SELECT variant_id, location_id, sum(quantity) AS pieces FROM commerce.stock_move GROUP BY 1, 2) m
      ON m.variant_id = i.variant_id AND m.location_id = i.location_id
    WHERE i.on_hand <> coalesce(m.pieces, 0)`,
  'stock reserved is what paid and placed orders wait for': `
    SELECT i.id FROM commerce.inventory_level i
    LEFT JOIN (SELECT l.variant_id, o.location_id, sum(l.quantity) AS pieces FROM commerce.order_line l
      JOIN commerce."order" o ON o.id = l.order_id WHERE o.status IN ('placed', 'paid') GROUP BY 1, 2) w
      ON w.variant_id = i.variant_id AND w.location_id = i.location_id
    WHERE i.reserved <> coalesce(w.pieces, 0)`,
  'stock is never negative': `
    SELECT id FROM commerce.inventory_level WHERE on_hand < 0 OR reserved < 0 OR available < 0`,
  'stock was never negative at any moment': `
    SELECT variant_id FROM (SELECT variant_id, sum(quantity) OVER (PARTITION BY variant_id, location_id
      ORDER BY moved_at, quantity DESC, id) AS level FROM commerce.stock_move) s WHERE level < 0`,
  'a won deal is certain and a lost one impossible': `
    SELECT id FROM crm.opportunity
    WHERE (stage = 'won' AND probability <> 100) OR (stage = 'lost' AND probability <> 0)
      OR (stage IN ('won', 'lost')) <> (closed_at IS NOT NULL)`,
  'a converted lead has an account': `
    SELECT id FROM crm.lead WHERE (status = 'converted') <> (account_id IS NOT NULL AND converted_at IS NOT NULL)`,
  'an account has one primary contact': `
    SELECT a.id FROM crm.account a LEFT JOIN crm.contact c ON c.account_id = a.id AND c."primary"
    GROUP BY a.id HAVING count(c.id) <> 1`,
  'what an activity is about exists in the same tenant': `
    SELECT x.id FROM crm.activity x WHERE NOT EXISTS (
      SELECT 1 FROM crm.lead t WHERE x.regarding_type = 'crm.lead' AND t.id = x.regarding_id AND t.tenant_id = x.tenant_id
      UNION ALL SELECT 1 FROM crm.account t
        WHERE x.regarding_type = 'crm.account' AND t.id = x.regarding_id AND t.tenant_id = x.tenant_id
      UNION ALL SELECT 1 FROM crm.opportunity t
        WHERE x.regarding_type = 'crm.opportunity' AND t.id = x.regarding_id AND t.tenant_id = x.tenant_id)`,
  'running numbers go on after the highest': `
    SELECT s.tenant_id FROM commerce.numbering_series s JOIN (SELECT tenant_id, max(number) AS number
      FROM commerce."order" GROUP BY 1) o ON o.tenant_id = s.tenant_id
    WHERE s.series = 'order' AND s.last_value < substr(o.number, 4)::bigint`,
};

/** The rules that do not hold, with how many rows break each. */
export async function brokenRules(client: Queryable): Promise<Record<string, number>> {
  const broken: Record<string, number> = {};
  for (const [rule, sql] of Object.entries(RULES)) {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM (${sql}) broken`,
    );
    if (rows[0]!.count > 0) broken[rule] = rows[0]!.count;
  }
  return broken;
}
