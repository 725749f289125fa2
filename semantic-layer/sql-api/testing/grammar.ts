import type { Random } from '#tests/random';

/** Statements made by a grammar, each with the same question to the tables themselves. */
export interface Pair {
  /** For the SQL API. */
  readonly sql: string;
  /** For DuckDB over all rows, in its dialect. */
  readonly truth: string;
}

const same = (text: string): Pair => ({ sql: text, truth: text });
const pair = (sql: string, truth: string): Pair => ({ sql, truth });

const KEYS: readonly Pair[] = [
  ...[
    'status',
    'region',
    'customer_id',
    'quantity',
    'paid',
    'lower(status)',
    "coalesce(region, 'none')",
    'quantity % 3',
    'amount > 100',
  ].map(same),
  ...['month', 'quarter', 'year', 'week', 'day'].map((unit) =>
    pair(`date_trunc('${unit}', created_at)`, `CAST(date_trunc('${unit}', created_at) AS TIMESTAMP)`),
  ),
  same('extract(year FROM created_at)'),
  same('extract(dow FROM shipped_at)'),
  pair("to_char(created_at, 'YYYY-MM')", "strftime(created_at, '%Y-%m')"),
  pair('created_at::date', 'CAST(created_at AS DATE)'),
  same("CASE WHEN region IS NULL THEN 'unknown' WHEN region LIKE '%th' THEN 'pole' ELSE region END"),
  same('length(status)'),
  pair('quantity / 2', 'quantity / 2'),
  pair("substring(region FROM 1 FOR 2) || '-' || status", "substring(region, 1, 2) || '-' || status"),
  pair('CAST(quantity AS integer) / 2', 'quantity // 2'),
];

const VALUES: readonly Pair[] = [
  pair('MEASURE(revenue)', 'sum(amount)'),
  pair('SUM(revenue)', 'sum(amount)'),
  pair('MEASURE(count)', 'count(*)'),
  same('COUNT(*)'),
  pair('MEASURE(units)', 'sum(quantity)'),
  pair('MIN(smallest)', 'min(amount)'),
  pair('MEASURE(largest)', 'max(amount)'),
  pair('AVG(average)', 'avg(amount)'),
  pair('MEASURE(customers)', 'count(DISTINCT customer_id)'),
  pair('COUNT(DISTINCT customers)', 'count(DISTINCT customer_id)'),
  pair('MEASURE(unit_price)', 'sum(amount) / nullif(sum(quantity), 0)'),
  same('COUNT(DISTINCT status)'),
  same('MIN(created_at)'),
  same('MAX(region)'),
  same('SUM(amount)'),
  same('AVG(quantity)'),
  same('COUNT(region)'),
  same('SUM(amount * quantity)'),
  pair("SUM(revenue) FILTER (WHERE status = 'paid')", "sum(amount) FILTER (WHERE status = 'paid')"),
  same('COUNT(*) FILTER (WHERE paid)'),
  same("SUM(CASE WHEN region = 'north' THEN amount ELSE 0 END)"),
  same('bool_or(paid)'),
  same('stddev_samp(amount)'),
  pair('SUM(revenue) / COUNT(*)', 'sum(amount) / count(*)'),
  pair('100 * SUM(units) / NULLIF(SUM(revenue), 0)', '100 * sum(quantity) / nullif(sum(amount), 0)'),
  pair('COALESCE(MEASURE(revenue), 0)', 'coalesce(sum(amount), 0)'),
  pair('percentile_cont(0.5) WITHIN GROUP (ORDER BY amount)', 'quantile_cont(CAST(amount AS DOUBLE), 0.5)'),
];

const CONDITIONS: readonly Pair[] = [
  ...[
    "status = 'paid'",
    "status <> 'new'",
    "status IN ('new', 'can''t ship')",
    "status NOT IN ('new', 'paid')",
    'region IS NULL',
    'region IS NOT NULL',
    'amount > 50',
    'amount <= 120.5',
    'amount BETWEEN 20 AND 200',
    'quantity = 3',
    'quantity <> 4',
    'customer_id IN (1, 2, 3)',
    'paid',
    'NOT paid',
    'paid IS NOT TRUE',
    "status ILIKE 'pa%'",
    "status LIKE 'pa%'",
    "region ILIKE '%th'",
    "region NOT LIKE '%o%'",
    "lower(status) = 'paid'",
    'quantity + 1 > 4',
    'amount > quantity * 10',
    "created_at >= '2024-03-01'",
    "created_at < '2024-06-15 12:00:00'",
    'shipped_at IS NULL',
    'shipped_at > created_at',
    "region > 'n'",
    "region = 'East 100%'",
    "region LIKE 'west\\_%'",
    "(status = 'paid' OR region = 'south')",
    "(status = 'new' AND amount < 100 OR paid)",
    "NOT (status = 'paid' OR amount > 100)",
    'customer_id IS DISTINCT FROM 2',
  ].map((text) => pair(text, text.replace(/LIKE ('[^']*')/g, "LIKE $1 ESCAPE '\\'"))),
  pair("created_at::date = '2024-05-01'", "CAST(created_at AS DATE) = DATE '2024-05-01'"),
  pair(
    "date_trunc('month', created_at) = '2024-02-01'",
    "date_trunc('month', created_at) = DATE '2024-02-01'",
  ),
  pair(
    "date_trunc('quarter', created_at) <= '2024-05-20'",
    "date_trunc('quarter', created_at) <= DATE '2024-05-20'",
  ),
  pair("created_at::date > '2024-05-01'", "CAST(created_at AS DATE) > DATE '2024-05-01'"),
  pair(
    "created_at >= TIMESTAMP '2024-12-01' - INTERVAL '90 days'",
    "created_at >= TIMESTAMP '2024-12-01' - INTERVAL '90 days'",
  ),
  pair(
    "customer_id IN (SELECT id FROM customers WHERE city = 'Lyon')",
    "customer_id IN (SELECT id FROM data.customers WHERE city = 'Lyon')",
  ),
  pair(
    'EXISTS (SELECT 1 FROM customers c WHERE c.id = customer_id AND c.city IS NOT NULL)',
    'EXISTS (SELECT 1 FROM data.customers c WHERE c.id = customer_id AND c.city IS NOT NULL)',
  ),
  pair('amount > (SELECT avg(amount) FROM orders)', 'amount > (SELECT avg(amount) FROM data.orders)'),
];

const HAVINGS: readonly Pair[] = [
  same('COUNT(*) > 3'),
  pair('MEASURE(revenue) > 500', 'sum(amount) > 500'),
  pair('MEASURE(customers) >= 3', 'count(DISTINCT customer_id) >= 3'),
  same('MAX(amount) < 290'),
];

export class Grammar {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }
  #below(count: number): number {
    return this.#random.below(count);
  }
  #one<T>(from: readonly T[]): T {
    return this.#random.pick(from);
  }
  #some<T>(from: readonly T[], least: number, most: number): T[] {
    const left = [...from];
    return Array.from(
      { length: least + this.#below(most - least + 1) },
      () => left.splice(this.#below(left.length), 1)[0]!,
    );
  }
  #chance(share: number): boolean {
    return this.#random.chance(share);
  }

  #where(share = 0.6): Pair {
    if (!this.#chance(share)) return same('');
    const some = this.#some(CONDITIONS, 1, 3);
    return pair(
      ` WHERE ${some.map((one) => one.sql).join(' AND ')}`,
      ` WHERE ${some.map((one) => one.truth).join(' AND ')}`,
    );
  }

  /** Groups and aggregates, named k0.. and v0... */
  grouped(): Pair & { keys: number; values: number } {
    const keys = this.#some(KEYS, 0, 3);
    const values = this.#some(VALUES, 1, 3);
    const list = (side: 'sql' | 'truth'): string =>
      [
        ...keys.map((key, at) => `${key[side]} AS k${at}`),
        ...values.map((value, at) => `${value[side]} AS v${at}`),
      ].join(', ');
    const where = this.#where();
    const having = keys.length > 0 && this.#chance(0.2) ? this.#one(HAVINGS) : null;
    const places = keys.map((_, at) => at + 1).join(', ');
    const rollup = keys.length > 1 && this.#chance(0.08);
    const by = (side: 'sql' | 'truth'): string => {
      if (keys.length === 0) return '';
      return rollup ? ` GROUP BY ROLLUP (${keys.map((key) => key[side]).join(', ')})` : ` GROUP BY ${places}`;
    };
    const tail = (side: 'sql' | 'truth'): string =>
      `${where[side]}${by(side)}${having ? ` HAVING ${having[side]}` : ''}`;
    return {
      sql: `SELECT ${list('sql')} FROM orders${tail('sql')}`,
      truth: `SELECT ${list('truth')} FROM data.orders${tail('truth')}`,
      keys: keys.length,
      values: values.length,
    };
  }

  /** Rows of the cube by themselves. */
  #rows(): Pair {
    const columns = this.#some(KEYS, 1, 4);
    const where = this.#where();
    const distinct = this.#chance(0.3) ? 'DISTINCT ' : '';
    const list = (side: 'sql' | 'truth'): string =>
      columns.map((column, at) => `${column[side]} AS c${at}`).join(', ');
    return pair(
      `SELECT ${distinct}${list('sql')} FROM orders${where.sql}`,
      `SELECT ${distinct}${list('truth')} FROM data.orders${where.truth}`,
    );
  }

  #ordered(inner: Pair & { keys: number; values: number }): Pair {
    const directions = Array.from({ length: inner.keys + inner.values }, () => this.#chance(0.5));
    const places = this.#some(
      directions.map((_, at) => at),
      directions.length,
      directions.length,
    );
    const asked = places.map((at) => `${at + 1}${directions[at] ? ' DESC' : ''}`).join(', ');
    const spelt = places
      .map((at) => `${at + 1} ${directions[at] ? 'DESC NULLS FIRST' : 'ASC NULLS LAST'}`)
      .join(', ');
    const limit = this.#chance(0.6)
      ? ` LIMIT ${1 + this.#below(6)}${this.#chance(0.3) ? ` OFFSET ${this.#below(3)}` : ''}`
      : '';
    return pair(`${inner.sql} ORDER BY ${asked}${limit}`, `${inner.truth} ORDER BY ${spelt}${limit}`);
  }

  #wrapped(kind: number): Pair {
    const inner = this.grouped();
    const make = (text: (body: string, side: 'sql' | 'truth') => string): Pair =>
      pair(text(inner.sql, 'sql'), text(inner.truth, 'truth'));
    const key = inner.keys > 0 ? 'k0' : 'v0';
    switch (kind) {
      case 0:
        return make(
          (body) => `WITH a AS (${body}) SELECT count(*), count(DISTINCT v0), count(${key}) FROM a`,
        );
      case 1:
        return make(
          (body) =>
            `SELECT s.*, rank() OVER (ORDER BY v0 DESC NULLS LAST, ${key} NULLS LAST) > 2 AS later, sum(1) OVER () AS n FROM (${body}) AS s WHERE v0 IS NOT NULL`,
        );
      case 2:
        return make(
          (body, side) =>
            `WITH a AS (${body}) SELECT a.v0, b.n FROM a CROSS JOIN (SELECT count(*) AS n FROM ${side === 'sql' ? 'customers' : 'data.customers'}) AS b`,
        );
      default: {
        const other = this.#where(1);
        return pair(
          `SELECT status, MEASURE(count) FROM orders${other.sql} GROUP BY 1 UNION ALL SELECT status, MEASURE(customers) FROM orders GROUP BY status`,
          `SELECT status, count(*) FROM data.orders${other.truth} GROUP BY 1 UNION ALL SELECT status, count(DISTINCT customer_id) FROM data.orders GROUP BY status`,
        );
      }
    }
  }

  #joined(): Pair {
    const kind = this.#one(['JOIN', 'LEFT JOIN']);
    const where = this.#one([
      same(''),
      same(" WHERE c.city = 'Lyon'"),
      same(" WHERE o.status <> 'new' AND c.city IS NOT NULL"),
      same(' WHERE o.amount > 100'),
    ]);
    const list = this.#one([
      'c.city, count(*), sum(o.amount)',
      'c.city, o.status, max(o.amount)',
      'c.name, count(DISTINCT o.status)',
    ]);
    const groups = list.startsWith('c.city, o') ? '1, 2' : '1';
    const text = (orders: string, customers: string): string =>
      `SELECT ${list} FROM ${orders} o ${kind} ${customers} c ON c.id = o.customer_id${where.sql} GROUP BY ${groups}`;
    return pair(text('orders', 'customers'), text('data.orders', 'data.customers'));
  }

  #view(): Pair {
    const key = this.#one([
      'city',
      'status',
      'lower(city)',
      "date_trunc('month', created_at)",
      "coalesce(city, '-')",
    ]);
    const value = this.#one(
      VALUES.slice(0, 4).concat([pair('MEASURE(average)', 'avg(amount)'), same('COUNT(DISTINCT status)')]),
    );
    const where = this.#one([
      same(''),
      same(" WHERE city = 'Lyon'"),
      same(" WHERE status LIKE 'p%'"),
      same(" WHERE created_at >= '2024-01-01'"),
    ]);
    return pair(
      `SELECT ${key}, ${value.sql} FROM sales${where.sql} GROUP BY 1`,
      `SELECT ${key}, ${value.truth} FROM data.orders o LEFT JOIN data.customers c ON c.id = o.customer_id${where.truth} GROUP BY 1`,
    );
  }

  statement(): Pair {
    const kind = this.#random.next();
    if (kind < 0.35) return this.grouped();
    if (kind < 0.55) return this.#ordered(this.grouped());
    if (kind < 0.67) return this.#rows();
    if (kind < 0.87) return this.#wrapped(this.#below(4));
    return this.#chance(0.5) ? this.#joined() : this.#view();
  }
}
