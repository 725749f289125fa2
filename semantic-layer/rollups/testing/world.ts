import {
  type AccessProfile,
  type Column,
  type ColumnType,
  chTable,
  everythingProfile,
  type ModelFile,
  type Principal,
  silentLogger,
  type TableAccess,
  type Warehouse,
  type WarehouseTable,
} from '#kernel';
import { type CubeLayer, createCubeLayer } from '../../cube/index.ts';
import { buildModel, generateModel } from '../../generate/index.ts';
import { Bell, type TableClock } from '../../results/index.ts';
import { declaredRollups } from '../declared.ts';
import { type Right, Rollups } from '../index.ts';

/** Orders of two tenants and their customers in a warehouse, cubes with roll-ups over them, and a clock moved by hand. */

const TYPES: Readonly<Record<string, ColumnType>> = {
  id: { kind: 'int8', sourceType: 'bigint' },
  text: { kind: 'text', sourceType: 'text' },
  money: { kind: 'numeric', precision: 18, scale: 2, sourceType: 'numeric(18,2)' },
  float: { kind: 'float8', sourceType: 'double precision' },
  time: { kind: 'timestamptz', sourceType: 'timestamp with time zone' },
  date: { kind: 'date', sourceType: 'date' },
  uuid: { kind: 'uuid', sourceType: 'uuid' },
};

export function table(name: string, columns: Readonly<Record<string, string>>): WarehouseTable {
  return {
    topic: `shop.public.${name}`,
    database: 'shop',
    table: name,
    foreignKeys: [],
    schema: {
      source: 'shop',
      schema: 'public',
      table: name,
      version: 1,
      keyRule: 'primary-key',
      key: ['id'],
      fullIdentity: false,
      columns: Object.entries(columns).map(
        ([column, type], index): Column => ({
          name: column,
          attnum: index + 1,
          type: TYPES[type.replace('?', '')]!,
          nullable: type.endsWith('?'),
          fill: null,
        }),
      ),
    },
  };
}

export const ORDER_COLUMNS = {
  id: 'id',
  tenant_id: 'text',
  owner: 'uuid',
  status: 'text',
  note: 'text?',
  customer_id: 'id',
  amount: 'money',
  discount: 'money?',
  weight: 'float',
  placed_at: 'time?',
};
export const ORDERS = table('orders', ORDER_COLUMNS);
export const CUSTOMERS = table('customers', { id: 'id', region: 'text' });

export const SETUP = [
  'CREATE DATABASE shop',
  `CREATE TABLE shop.orders (id Int64, tenant_id String, owner UUID, status String, note Nullable(String), customer_id Int64,
    amount Decimal(18, 2), discount Nullable(Decimal(18, 2)), weight Float64, placed_at Nullable(DateTime64(6, 'UTC')),
    _version UInt64, _deleted UInt8 DEFAULT 0) ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`,
  `CREATE TABLE shop.customers (id Int64, region String, _version UInt64, _deleted UInt8 DEFAULT 0)
    ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`,
];

export const MODEL: ModelFile = {
  fileName: 'sales.yaml',
  content: `
cubes:
  - name: sales
    extends: shop_orders
    joins:
      - { name: shop_customers, relationship: many_to_one, sql: "{CUBE}.customer_id = {shop_customers}.id" }
    measures:
      - { name: revenue, type: sum, sql: "{CUBE}.amount" }
      - { name: discounts, type: sum, sql: "{CUBE}.discount" }
      - { name: paid, type: sum, sql: "{CUBE}.amount", filters: [{ sql: "{CUBE}.status = 'paid'" }] }
      - { name: paid_count, type: count, filters: [{ sql: "{CUBE}.status = 'paid'" }] }
      - { name: least, type: min, sql: "{CUBE}.amount" }
      - { name: most, type: max, sql: "{CUBE}.discount" }
      - { name: average, type: number, sql: "toFloat64({revenue}) / nullIf({count}, 0)" }
      - { name: typical, type: avg, sql: "{CUBE}.discount" }
      - { name: typical_paid, type: avg, sql: "{CUBE}.amount", filters: [{ sql: "{CUBE}.status = 'paid'" }] }
      - { name: as_typical, type: avg, sql: "{CUBE}.discount" }
      - { name: as_typical_paid, type: avg, sql: "{CUBE}.amount", filters: [{ sql: "{CUBE}.status = 'paid'" }] }
      - { name: mass, type: sum, sql: "{CUBE}.weight" }
    pre_aggregations:
      - name: by_day
        measures: [count, revenue, discounts, paid, paid_count, least, most, typical, typical_paid]
        dimensions: [tenant_id, owner, status, note]
        time_dimension: placed_at
        granularity: day
      - name: by_hour
        measures: [count, revenue]
        dimensions: [tenant_id]
        time_dimension: placed_at
        granularity: hour
        partition_granularity: month
      - name: by_region
        measures: [count, revenue, most]
        dimensions: [status, shop_customers.region]
        time_dimension: placed_at
        granularity: month
      - name: by_mass
        measures: [mass]
        time_dimension: placed_at
        granularity: day
`,
};

/** A clock that the test moves: one stamp for all tables. */
export class HandClock implements TableClock {
  #stamp = 1;
  readonly #bell = new Bell();
  tick(): void {
    this.#stamp += 1;
    this.#bell.ring();
  }
  tablesIn(sql: string): string[] {
    return [ORDERS, CUSTOMERS]
      .filter((one) => sql.includes(chTable(one.database, one.table)))
      .map((one) => `${one.database}.${one.table}`);
  }
  stamp(): number {
    return this.#stamp;
  }
  freshness() {
    return { completeUpTo: null };
  }
  current(): Promise<void> {
    return Promise.resolve();
  }
  moved(signal: AbortSignal): Promise<void> {
    return this.#bell.next(signal);
  }
}

export const person = (role: string, tenant = 'a'): Principal => ({
  tenant: role === 'everything' ? null : tenant,
  user: 'ann',
  roles: [role],
  attributes: {},
  scopes: ['read'],
});

const FILTERS: Readonly<Record<string, string | null>> = {
  tenant: '`tenant_id` = {bac_tenant:String}',
  owner: "`tenant_id` = {bac_tenant:String} AND `owner` = '11111111-1111-1111-1111-111111111111'",
  /** By a column that no roll-up has. */
  light: '`tenant_id` = {bac_tenant:String} AND `weight` < 50',
  masked: '`tenant_id` = {bac_tenant:String}',
};

/** What the role sees: rows by a filter, the note masked for `masked`, everything for `everything`. */
function profileFor(role: string, tables: readonly WarehouseTable[]): AccessProfile {
  const everything = everythingProfile(tables);
  if (role === 'everything') return everything;
  const orders = everything.tables.get(ORDERS.topic)!;
  const columns = new Map(orders.columns);
  if (role === 'masked') {
    columns.set('note', { mode: 'masked', sql: "'***'" });
    columns.set('owner', { mode: 'masked', sql: "'00000000-0000-0000-0000-000000000000'" });
  }
  const access: TableAccess = { readable: true, filter: FILTERS[role]!, columns };
  return {
    id: role,
    tables: new Map([...everything.tables, [ORDERS.topic, access]]),
    params: ({ tenant }) => ({ bac_tenant: tenant ?? '' }),
  };
}

export interface World {
  readonly layer: CubeLayer;
  readonly rollups: Rollups;
  readonly clock: HandClock;
  /** The tables that models are made of; takes effect with `reshape`. */
  reshape(tables: readonly WarehouseTable[]): Promise<void>;
  close(): Promise<void>;
}

/** A layer with roll-ups, as one process of the hub has it. `right`: what lets it keep them; null: another one does. */
export function openWorld(
  warehouse: Warehouse,
  right: () => Promise<Right | null> = alwaysRight(),
  model: ModelFile = MODEL,
): World {
  let tables: readonly WarehouseTable[] = [ORDERS, CUSTOMERS];
  let profiles = new Map<string, AccessProfile>();
  const clock = new HandClock();
  const logger = silentLogger();
  const input = () => ({ tables, entities: [], curated: [model] });
  const profileOf = (role: string): AccessProfile => {
    const known = profiles.get(role) ?? profileFor(role, tables);
    profiles.set(role, known);
    return known;
  };
  const rollups: Rollups = new Rollups({
    warehouse,
    logger,
    right,
    tables: () => Promise.resolve(tables),
    everything: () => Promise.resolve(profileOf('everything')),
    declared: () => {
      const everything = profileOf('everything');
      return declaredRollups(buildModel(input(), everything).model, (query) =>
        layer.rollupsFor(everything, query),
      );
    },
    stamp: () => clock.stamp(),
  });
  const layer: CubeLayer = createCubeLayer({
    warehouse,
    clock,
    logger,
    rollups,
    profileOf: ({ roles }) => Promise.resolve(profileOf(roles[0]!)),
    models: (profile) => Promise.resolve(generateModel(input(), profile)),
  });
  return {
    layer,
    rollups,
    clock,
    async reshape(next) {
      tables = next;
      profiles = new Map();
      await layer.refresh();
      rollups.reshaped();
    },
    async close() {
      await rollups.close();
      await layer.close();
    },
  };
}

let tokens = 0;
/** The right of a process that nobody competes with. */
export function alwaysRight(): () => Promise<Right> {
  tokens += 1;
  const right = {
    token: tokens,
    signal: new AbortController().signal,
    fenced: (step: () => Promise<void>) => step(),
  };
  return () => Promise.resolve(right);
}
