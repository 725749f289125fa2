import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { createWarehouse } from '#clickhouse';
import { silentLogger } from '#kernel';
import { compareTable } from '#tests/compare';
import { eventually } from '#tests/eventually';
import { testHub } from '#tests/hub';
import { hasNorthwind, loadNorthwind } from '#tests/northwind';

const MIX = [
  "INSERT INTO orders (order_id, customer_id, employee_id, order_date, freight) SELECT 20000 + g, 'ALFKI', 1, '2024-01-01', g FROM generate_series(1, 500) g",
  'INSERT INTO order_details SELECT 20000 + g, 1 + g % 70, 1.5, 1, 0 FROM generate_series(1, 500) g',
  'UPDATE products SET unit_price = unit_price * 1.1 WHERE product_id % 3 = 0',
  "UPDATE employees SET notes = notes || ' seen', photo = '\\x00ff10'::bytea WHERE employee_id < 5",
  "UPDATE customers SET company_name = company_name || ' é漢🙂\t\\' WHERE country = 'Germany'",
  'DELETE FROM order_details WHERE order_id % 7 = 0',
  'UPDATE region SET region_id = region_id + 100 WHERE region_id NOT IN (SELECT region_id FROM territories)',
  "INSERT INTO customer_demographics VALUES ('VIP', 'very important'); INSERT INTO customer_customer_demo VALUES ('ALFKI', 'VIP')",
  "DELETE FROM customer_customer_demo; DELETE FROM customer_demographics; INSERT INTO customer_demographics VALUES ('VIP', 'again')",
  'ALTER TABLE suppliers ADD COLUMN rating integer DEFAULT 3; UPDATE suppliers SET rating = 5 WHERE supplier_id = 1',
  "ALTER TABLE shippers RENAME COLUMN phone TO telephone; INSERT INTO shippers VALUES (99, 'Fast', '123')",
  "TRUNCATE us_states; INSERT INTO us_states VALUES (1, 'Alabama', 'AL', 'south')",
];

test.skipIf(!hasNorthwind())(
  'Northwind: 14 tables arrive, verify is clean before and after any mix of changes',
  async () => {
    await using hub = await testHub();
    const url = await loadNorthwind(hub.postgresUrl);
    const added = await hub.bac('connect', 'add', 'northwind', '--url', url, '--wait');
    expect(added, added.stderr).toMatchObject({ code: 0 });
    const status = JSON.parse((await hub.bac('status', '--json')).stdout);
    expect(status.sources[0].tables).toHaveLength(14);
    const verify = async () => {
      const result = await hub.bac('verify', 'northwind', '--json');
      expect(result, result.stderr + result.stdout).toMatchObject({ code: 0 });
      return JSON.parse(result.stdout);
    };
    expect((await verify()).tables).toHaveLength(14);

    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {}); // the hub is stopped while a failing test still holds it
    await client.connect();
    for (const statement of MIX) await client.query(statement);
    expect((await verify()).ok).toBe(true);

    // And by a comparison that shares nothing with the product's own.
    const password = readFileSync(join(hub.stateDir, 'clickhouse-password'), 'utf8').trim();
    const warehouse = createWarehouse({
      url: hub.addresses.clickhouse!,
      user: 'bac',
      password,
      log: silentLogger(),
    });
    let differences: string[] = [];
    await eventually(
      async () => {
        differences = [];
        for (const { table } of status.sources[0].tables)
          differences.push(...(await compareTable(client, warehouse, 'northwind', 'public', table)));
        return differences.length === 0 ? true : undefined;
      },
      20_000,
      () => differences.join('\n'),
    );

    // A difference made behind the hub's back is found, explained and mended.
    await warehouse.command(
      "INSERT INTO northwind.products (product_id, product_name, discontinued, _raw, _version, _deleted, _committed_at) SELECT product_id, 'forged', discontinued, _raw, _version + 1, 0, _committed_at FROM northwind.products FINAL WHERE product_id = 3",
    );
    const found = await hub.bac('verify', 'northwind.products', '--json');
    expect(found.code).toBe(1);
    expect(found.stdout).toContain('forged');
    const repaired = await hub.bac('verify', 'northwind.products', '--repair', '--json');
    expect(repaired, repaired.stdout).toMatchObject({ code: 0 });
    await verify();
    await warehouse.close();
    await client.end();
  },
);
