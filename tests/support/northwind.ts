import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const FILE = fileURLToPath(new URL('../../../shared/data/northwind.sql', import.meta.url));

/** The Northwind sample (14 tables), where the data folder is there; CI must have it. */
export const hasNorthwind = (): boolean => existsSync(FILE) || process.env.HUB_TEST_REQUIRE_ALL === '1';

/** Creates database `northwind` beside `url`'s and loads it; returns its connection string. */
export async function loadNorthwind(url: string): Promise<string> {
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query('CREATE DATABASE northwind');
  await admin.end();
  const target = url.replace(/\/[^/]*$/, '/northwind');
  const client = new pg.Client({ connectionString: target });
  await client.connect();
  await client.query(readFileSync(FILE, 'utf8'));
  await client.end();
  return target;
}
