import { topicOf, type Warehouse, type WarehouseTable, warehouseTableOf } from '#kernel';
import { type App, parseApps } from '../../definitions/index.ts';

/** A shop whose deals are read by one rule, put in by each test; the rows it looks at have rules of their own. */
export const shopApps = (rule: string): App[] =>
  parseApps([
    {
      file: 'shop.yaml',
      content: `
app: { name: shop, label: Shop }
roles: { seller: Seller, boss: { label: Boss, includes: [seller] }, clerk: Clerk }
entities:
  person:
    titleField: email
    permissions: [{ role: everyone, can: [read], where: grade is null or grade < 3 }]
    fields:
      email: { type: email, required: true }
      grade: { type: integer }
      lead: { type: reference, entity: person }
  deal:
    titleField: t
    permissions: [{ role: seller, can: [read], where: ${JSON.stringify(rule)} }]
    fields:
      t: { type: text }
      u: { type: text }
      i: { type: integer }
      j: { type: integer }
      n: { type: decimal, precision: 20, scale: 4 }
      f: { type: boolean }
      d: { type: date }
      at: { type: dateTime }
      tags: { type: multiSelect, options: { a: A, b: B } }
      owner: { type: reference, entity: person }
      parts: { type: childTable, entity: part }
  part:
    fields: { amount: { type: integer } }
  line:
    titleField: name
    permissions: [{ role: everyone, can: [read], where: "amount is null or amount < 3" }]
    fields:
      name: { type: text }
      deal: { type: reference, entity: deal }
      amount: { type: integer }
      ok: { type: boolean }
      by: { type: reference, entity: person }
  note:
    titleField: text
    permissions: [{ role: everyone, can: [read], where: "text != 'b' and author.email != 'cem@x'" }]
    fields:
      text: { type: text }
      deal: { type: reference, entity: deal }
      author: { type: reference, entity: person }
      any: { type: anyReference, entities: [shop.deal, shop.person] }
`,
    },
  ]);

/** ClickHouse types of the columns, as the sink makes them. */
const COLUMNS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  person: { email: 'String', grade: 'Nullable(Int64)', lead_id: 'Nullable(Int64)' },
  deal: {
    t: 'Nullable(String)',
    u: 'Nullable(String)',
    i: 'Nullable(Int64)',
    j: 'Nullable(Int64)',
    n: 'Nullable(Decimal(20, 4))',
    f: 'Nullable(Bool)',
    d: 'Nullable(Date32)',
    at: "Nullable(DateTime64(6, 'UTC'))",
    tags: 'Array(Nullable(String))',
    owner_id: 'Nullable(Int64)',
  },
  part: { deal_id: 'Int64', amount: 'Nullable(Int64)' },
  line: {
    deal_id: 'Nullable(Int64)',
    amount: 'Nullable(Int64)',
    ok: 'Nullable(Bool)',
    by_id: 'Nullable(Int64)',
  },
  note: {
    text: 'Nullable(String)',
    deal_id: 'Nullable(Int64)',
    author_id: 'Nullable(Int64)',
    any_type: 'Nullable(String)',
    any_id: 'Nullable(Int64)',
  },
};
const TABLES = Object.keys(COLUMNS);

export const shopTables: readonly WarehouseTable[] = TABLES.map((table) => {
  const id = { source: 'business', schema: 'shop', table };
  return {
    topic: topicOf(id),
    ...warehouseTableOf(id),
    foreignKeys: [],
    schema: {
      ...id,
      version: 1,
      keyRule: 'primary-key',
      key: ['id'],
      fullIdentity: false,
      columns: ['id', 'tenant_id', ...Object.keys(COLUMNS[table]!)].map((name, at) => ({
        name,
        attnum: at + 1,
        type: { kind: 'text', sourceType: 'text' },
        nullable: true,
        fill: null,
      })),
    },
  };
});

export async function createShopTables(warehouse: Warehouse): Promise<void> {
  await warehouse.command('CREATE DATABASE IF NOT EXISTS business');
  for (const [table, columns] of Object.entries(COLUMNS)) {
    const list = Object.entries({ id: 'Int64', tenant_id: 'String', ...columns }).map(
      ([name, type]) => `\`${name}\` ${type}`,
    );
    await warehouse.command(
      `CREATE TABLE business.shop_${table} (${list.join(', ')}, _raw Map(String, String), _version UInt64, _deleted UInt8)
       ENGINE = ReplacingMergeTree(_version, _deleted) ORDER BY id`,
    );
  }
}
