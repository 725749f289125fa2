import type pg from 'pg';

/** Five orders-like tables of about 300 bytes a row, and the mix of changes the `cdc` benchmark waits for. */
export const TABLES = ['orders_a', 'orders_b', 'orders_c', 'orders_d', 'orders_e'] as const;

const COLUMNS = `
  id bigint PRIMARY KEY,
  tenant_id integer NOT NULL,
  customer_id bigint NOT NULL,
  status text NOT NULL,
  placed_at timestamptz NOT NULL,
  total numeric(14,2) NOT NULL,
  quantity integer NOT NULL,
  paid boolean NOT NULL,
  note text,
  address text`;

export const createOrders = (table: string): string => `CREATE TABLE bench.${table} (${COLUMNS})`;

/** SELECT list of row `g`: deterministic, about 300 bytes. */
export const ORDER_ROW = `
  g, g % 7, g % 50000, (ARRAY['new','paid','packed','shipped','returned'])[1 + g % 5],
  timestamptz '2024-01-01 00:00:00+00' + make_interval(secs => g), (g % 100000) / 100.0, g % 9, g % 2 = 0,
  'order note ' || repeat(md5(g::text), 3), repeat(md5((g + 1)::text), 3)`;

/** 60 % insert, 30 % update, 10 % delete over the five tables, in transactions of 1,000 rows and more. */
export async function runMix(client: pg.Client | pg.PoolClient, changes: number): Promise<void> {
  const perTable = changes / TABLES.length;
  const inserts = perTable * 0.6;
  const block = 10_000;
  for (let from = 0; from < inserts; from += block) {
    for (const table of TABLES) {
      await client.query('BEGIN');
      await client.query(
        `INSERT INTO bench.${table} SELECT ${ORDER_ROW} FROM generate_series($1::bigint, $2::bigint) g`,
        [from + 1, Math.min(from + block, inserts)],
      );
      const to = Math.min(from + block, inserts);
      const half = from + Math.round((to - from) / 2);
      await client.query(
        `UPDATE bench.${table} SET status = 'paid', total = total + 1 WHERE id > $1 AND id <= $2`,
        [from, half],
      );
      await client.query(`DELETE FROM bench.${table} WHERE id > $1 AND id <= $2`, [
        half,
        half + Math.round((to - from) / 6),
      ]);
      await client.query('COMMIT');
    }
  }
}
