import {
  type AccessProfile,
  everythingProfile,
  type ModelFile,
  type Principal,
  silentLogger,
  type Warehouse,
} from '#kernel';
import { Bell, type TableClock } from '../../results/index.ts';
import { createCubeLayer } from '../layer.ts';
import type { CubeLayer, CubeOptions } from '../types.ts';

/** A small warehouse with orders of two tenants, cubes over it, and a clock that the test moves by hand. */

export const SETUP = [
  'CREATE DATABASE shop',
  `CREATE TABLE shop.orders (id Int64, tenant String, status String, amount Decimal(18, 2), placed DateTime64(6, 'UTC'), day Date32,
   paid Nullable(DateTime64(6, 'UTC')), big UInt64, ok Bool, _version UInt64, _deleted UInt8) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`,
  `INSERT INTO shop.orders VALUES
    (1, 'a', 'new', 10.10, '2026-01-31 23:30:00.123456', '2026-01-31', NULL, 18446744073709551615, true, 1, 0),
    (2, 'a', 'paid', 20.20, '2026-02-01 10:00:00', '2026-02-01', '2026-02-02 00:00:00', 1, false, 1, 0),
    (3, 'b', 'paid', 30.30, '2026-02-03 10:00:00', '2026-02-03', '2026-02-04 00:00:00', 2, true, 1, 0),
    (4, 'b', 'gone', 99, '2026-02-03 10:00:00', '2026-02-03', NULL, 2, true, 1, 1)`,
];

export const MODEL: ModelFile[] = [
  {
    fileName: 'orders.js',
    content: `cube('orders', {
  sql: \`SELECT * FROM \\\`shop\\\`.\\\`orders\\\` FINAL WHERE _deleted = 0 AND ({bac_tenant:String} = '' OR tenant = {bac_tenant:String})\`,
  measures: {
    count: { type: 'count', title: 'Orders' },
    revenue: { type: 'sum', sql: 'amount', format: 'currency', description: 'What was sold.' },
    secret: { type: 'sum', sql: 'amount', public: false },
  },
  dimensions: {
    id: { type: 'number', sql: 'id', primaryKey: true, public: true },
    status: { type: 'string', sql: 'status' },
    placed: { type: 'time', sql: 'placed' },
    day: { type: 'time', sql: 'day' },
    paid: { type: 'time', sql: 'paid' },
    big: { type: 'number', sql: 'big' },
    ok: { type: 'boolean', sql: 'ok' },
  },
  segments: { settled: { sql: \`\${CUBE}.status = 'paid'\` } },
})`,
  },
];

/** A clock whose one table changes when the test says so. */
export class HandClock implements TableClock {
  #stamp = 1;
  readonly #bell = new Bell();
  freshAt: string | null = '2026-02-05T00:00:00.000Z';
  tick(): void {
    this.#stamp += 1;
    this.#bell.ring();
  }
  tablesIn(sql: string): string[] {
    return sql.includes('`shop`.`orders`') ? ['shop.orders'] : [];
  }
  stamp(): number {
    return this.#stamp;
  }
  freshness() {
    return { completeUpTo: this.freshAt };
  }
  current(): Promise<void> {
    return Promise.resolve();
  }
  moved(signal: AbortSignal): Promise<void> {
    return this.#bell.next(signal);
  }
}

export const person = (tenant: string | null, user = 'ann'): Principal => ({
  tenant,
  user,
  roles: [],
  attributes: {},
  scopes: ['read'],
});

export function shopLayer(
  warehouse: Warehouse,
  clock: TableClock,
  more: Partial<CubeOptions> = {},
): CubeLayer {
  const profile: AccessProfile = {
    ...everythingProfile([]),
    params: ({ tenant }) => ({ bac_tenant: tenant ?? '' }),
  };
  return createCubeLayer({
    warehouse,
    clock,
    logger: silentLogger(),
    profileOf: () => Promise.resolve(profile),
    models: () => Promise.resolve(MODEL),
    ...more,
  });
}
