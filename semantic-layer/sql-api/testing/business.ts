/** A small business with the awkward values a warehouse has: nulls, ties, quotes, decimals. */
export interface TestMember {
  readonly sql: string;
  readonly type: string;
  readonly aggType?: string;
  readonly primaryKey?: boolean;
  readonly description?: string;
}
export interface TestCube {
  readonly from: string;
  readonly title: string;
  readonly dimensions: Readonly<Record<string, TestMember>>;
  readonly measures: Readonly<Record<string, TestMember>>;
  readonly segments: Readonly<Record<string, string>>;
  readonly joins: Readonly<Record<string, { readonly relationship: string; readonly on: string }>>;
}
/** Member of a view -> `cube.member`. */
export type TestView = Readonly<Record<string, string>>;

export const CUBES: Readonly<Record<string, TestCube>> = {
  orders: {
    from: 'data.orders',
    title: 'Orders',
    dimensions: {
      id: { sql: 'orders.id', type: 'number', primaryKey: true },
      status: { sql: 'orders.status', type: 'string', description: 'Where the order stands' },
      region: { sql: 'orders.region', type: 'string' },
      customer_id: { sql: 'orders.customer_id', type: 'number' },
      amount: { sql: 'orders.amount', type: 'number' },
      quantity: { sql: 'orders.quantity', type: 'number' },
      paid: { sql: 'orders.paid', type: 'boolean' },
      created_at: { sql: 'orders.created_at', type: 'time' },
      shipped_at: { sql: 'orders.shipped_at', type: 'time' },
    },
    measures: {
      count: { sql: 'orders.id', type: 'number', aggType: 'count', description: 'Number of orders' },
      revenue: { sql: 'orders.amount', type: 'number', aggType: 'sum', description: 'Sum of amounts, EUR' },
      units: { sql: 'orders.quantity', type: 'number', aggType: 'sum' },
      smallest: { sql: 'orders.amount', type: 'number', aggType: 'min' },
      largest: { sql: 'orders.amount', type: 'number', aggType: 'max' },
      average: { sql: 'orders.amount', type: 'number', aggType: 'avg' },
      customers: { sql: 'orders.customer_id', type: 'number', aggType: 'countDistinct' },
      unit_price: {
        sql: 'sum(orders.amount) / nullif(sum(orders.quantity), 0)',
        type: 'number',
        aggType: 'number',
      },
    },
    segments: { large: 'orders.amount > 100' },
    joins: { customers: { relationship: 'belongsTo', on: 'orders.customer_id = customers.id' } },
  },
  customers: {
    from: 'data.customers',
    title: 'Customers',
    dimensions: {
      id: { sql: 'customers.id', type: 'number', primaryKey: true },
      name: { sql: 'customers.name', type: 'string' },
      city: { sql: 'customers.city', type: 'string' },
    },
    measures: { count: { sql: 'customers.id', type: 'number', aggType: 'count' } },
    segments: {},
    joins: { orders: { relationship: 'hasMany', on: 'orders.customer_id = customers.id' } },
  },
};

export const VIEWS: Readonly<Record<string, TestView>> = {
  sales: {
    status: 'orders.status',
    created_at: 'orders.created_at',
    city: 'customers.city',
    count: 'orders.count',
    revenue: 'orders.revenue',
    average: 'orders.average',
  },
  /** Every customer once for each of its orders. */
  accounts: {
    city: 'customers.city',
    name: 'customers.name',
    status: 'orders.status',
    count: 'customers.count',
    revenue: 'orders.revenue',
  },
};

const STATUSES = ['new', 'paid', 'shipped', "can't ship", 'Paid'];
const REGIONS = ['north', 'south', null, 'East 100%', 'west_1'];

/** Rows as SQL values, the same for the same seed. */
export function businessSql(rows: number): string {
  let state = 7;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const text = (value: string | null): string =>
    value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`;
  const time = (): string =>
    text(
      new Date(Date.UTC(2023, 10, 1) + next(500) * 86_400_000 + next(24) * 3_600_000 + next(3600) * 1000)
        .toISOString()
        .slice(0, 19),
    );
  const orders = Array.from({ length: rows }, (_, at) =>
    [
      at + 1,
      text(STATUSES[next(STATUSES.length)]!),
      text(REGIONS[next(REGIONS.length)]!),
      next(20) === 0 ? 'NULL' : next(12) + 1,
      next(15) === 0 ? 'NULL' : `${next(300)}.${String(next(100)).padStart(2, '0')}`,
      next(9),
      ['true', 'false', 'NULL'][next(3)],
      time(),
      next(3) === 0 ? 'NULL' : time(),
    ].join(', '),
  );
  const customers = Array.from({ length: 10 }, (_, at) =>
    [
      at + 1,
      text(`Customer ${String.fromCharCode(65 + at)}`),
      text(['Vienna', 'Lyon', null, 'Genoa'][at % 4]!),
    ].join(', '),
  );
  return `
CREATE SCHEMA data;
CREATE TABLE data.orders (id INTEGER, status VARCHAR, region VARCHAR, customer_id INTEGER, amount DECIMAL(12, 2), quantity INTEGER, paid BOOLEAN, created_at TIMESTAMP, shipped_at TIMESTAMP);
INSERT INTO data.orders VALUES ${orders.map((one) => `(${one})`).join(', ')};
CREATE TABLE data.customers (id INTEGER, name VARCHAR, city VARCHAR);
INSERT INTO data.customers VALUES ${customers.map((one) => `(${one})`).join(', ')};`;
}
