import pg from 'pg';
import { demoApps, fillDemo, shippedFiles } from '#apps';
import { createApiKey } from '#hub';
import { systemPrincipal } from '#kernel';
import { graphql, type Ids, pick, SORTS } from './support/api-mix.ts';
import { type Client, httpClient } from './support/http-client.ts';
import { latenciesOf, oneByOne, summary } from './support/http-load.ts';
import { mixedLoad } from './support/load-thread.ts';
import { openRig, peakMemoryMiB, type Rig } from './support/rig.ts';

/** Each can be measured without the others. */
export const API_PARTS = ['reads', 'mixed', 'lists'] as const;

export interface ApiOptions {
  /** Default: all. */
  readonly parts?: readonly string[] | undefined;
  readonly seconds?: number | undefined;
  /** Mixed requests a second that are asked for. */
  readonly rate?: number | undefined;
  /** Of the large table. */
  readonly rows?: number | undefined;
  readonly orders?: number | undefined;
}

const TENANT = 'aurora';
const ITEMS = `
app: { name: bench, label: Bench }
roles: { seller: Seller, agent: Agent }
permissions: [{ role: admin, can: all }]
entities:
  seller:
    titleField: email
    permissions: [{ role: everyone, can: [read] }]
    fields: { email: { type: email, required: true, indexed: true } }
  item:
    titleField: name
    permissions:
      - { role: seller, can: [read], where: seller.email = $user }
      - { role: agent, can: [read], where: quantity = 7 or seller.email = 'seller7@aurora.example' }
      - { role: agent, can: [read], where: quantity = 11 and kind = 'b' }
    fields:
      seller: { type: reference, entity: seller, required: true }
      name: { type: text, required: true, indexed: true }
      amount: { type: money, currency: EUR, required: true, indexed: true }
      quantity: { type: integer, required: true, indexed: true }
      kind: { type: select, options: { a: A, b: B, c: C }, required: true, indexed: true }
      due_on: { type: date, indexed: true }
      placed_at: { type: dateTime, required: true, indexed: true }
`;
/** Each sees one item of so many. */
const SELLERS = 50;

/**
 * The apps' API: mixed reads and writes over GraphQL and REST at a steady rate, single reads beside a bare query of
 * the same row, and pages of a large table by every indexed sort. The api role is one process, so one core.
 */
export async function benchApi({
  parts = API_PARTS,
  seconds = 30,
  rate = 500,
  rows = 1_000_000,
  orders = 20_000,
}: ApiOptions = {}): Promise<object> {
  const wants = (part: (typeof API_PARTS)[number]): boolean => parts.includes(part);
  await using rig = await openRig();
  await fillDemo({ url: rig.url, seed: 42, orders });
  const api = await rig.start('api');
  const url = `http://127.0.0.1:${(api.facts as { port: number }).port}`;
  await applyApps(rig, url);
  await fillItems(rig, rows);
  const headersOf = async (user: string, role: string): Promise<Record<string, string>> => {
    const key = await createApiKey(rig.pool, {
      tenant: TENANT,
      user,
      roles: [role],
      attributes: {},
      scopes: ['read', 'write'],
    });
    return { authorization: `Bearer ${key}` };
  };
  const clientOf = async (user: string, role: string): Promise<Client> =>
    httpClient(url, await headersOf(user, role));
  const headers = await headersOf('bench@aurora.example', 'admin');
  const client = httpClient(url, headers);
  const seller = await clientOf('seller7@aurora.example', 'seller');
  const agent = await clientOf('agent@aurora.example', 'agent');
  try {
    const ids = await idsOf(rig);
    // Warms code, caches and connections: at a lower rate fewer would be opened than the load then needs.
    const load = { url, headers, rate, ids };
    const mixed = await mixedLoad({ ...load, warmSeconds: 10, seconds: wants('mixed') ? seconds : 1 });
    return {
      benchmark: 'api',
      ...(wants('mixed') ? { mixed } : {}),
      ...(wants('reads') ? { singleReads: await singleReads(rig, client, ids) } : {}),
      ...(wants('lists')
        ? {
            lists: await lists(client, rows),
            listsOfSome: await lists(seller, rows),
            listsByOr: await lists(agent, rows),
          }
        : {}),
      peakMemoryMiB: peakMemoryMiB(api.pid),
    };
  } finally {
    client.close();
    seller.close();
    agent.close();
  }
}

/** Puts the shipped apps and the one with the large table in force, as an operator would. */
async function applyApps(rig: Rig, url: string): Promise<void> {
  const key = await createApiKey(rig.pool, systemPrincipal('bench'));
  const files = [...(await shippedFiles(await demoApps())), { file: 'bench.yaml', content: ITEMS }];
  const answer = await fetch(`${url}/api/v1/apps/apply`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ files }),
  });
  const text = await answer.text();
  if (!text.includes('"type":"result"')) throw new Error(`the apps were not applied: ${text.slice(-2000)}`);
}

async function fillItems(rig: Rig, rows: number): Promise<void> {
  await rig.pool.query(
    `INSERT INTO bench.seller (tenant_id, email) SELECT $1, 'seller' || g || '@aurora.example' FROM generate_series(1, $2) g`,
    [TENANT, SELLERS],
  );
  await rig.pool.query(
    `INSERT INTO bench.item (tenant_id, seller_id, name, amount, quantity, kind, due_on, placed_at)
     SELECT $1, (SELECT min(id) FROM bench.seller) + (hashint8(g * 7) & 1048575) % $3, 'item ' || md5(g::text), (hashint8(g) & 1048575) / 100.0, g % 1000, chr(97 + (g % 3)::int),
            CASE WHEN g % 10 = 0 THEN NULL ELSE date '2024-01-01' + (g % 900)::int END,
            timestamptz '2024-01-01' + g * interval '1 minute'
     FROM generate_series(1, $2::bigint) g`,
    [TENANT, rows, SELLERS],
  );
  await rig.pool.query('VACUUM ANALYZE bench.item, bench.seller');
  // What filling has left to write is written before anything is measured.
  await rig.pool.query('CHECKPOINT');
}

async function idsOf(rig: Rig): Promise<Ids> {
  const of = async (table: string): Promise<string[]> => {
    const { rows } = await rig.pool.query<{ id: string }>(
      `SELECT id FROM ${table} WHERE tenant_id = $1 ORDER BY id LIMIT 20000`,
      [TENANT],
    );
    return rows.map((row) => row.id);
  };
  const { rows } = await rig.pool.query<{ n: number }>('SELECT max(id)::int AS n FROM bench.item');
  return { accounts: await of('crm.account'), orders: await of('commerce.order'), items: rows[0]!.n };
}

const ACCOUNT_QUERY = 'query One($id: ID!) { crmAccount(id: $id) { id number name status region currency } }';

/**
 * The same record by a bare query on a kept connection, over REST and over GraphQL: rounds of some of each, so that
 * whatever else the machine does meets all of them.
 */
async function singleReads(rig: Rig, client: Client, { accounts }: Ids): Promise<object> {
  const ROUNDS = 20;
  const EACH = 200;
  const bare = new pg.Client({ connectionString: rig.url });
  await bare.connect();
  const query = { name: 'account', text: 'SELECT * FROM crm.account WHERE tenant_id = $1 AND id = $2' };
  const kinds: Record<string, () => Promise<unknown>> = {
    bareQuery: () => bare.query({ ...query, values: [TENANT, pick(accounts)] }),
    rest: () => client.send({ method: 'GET', path: `/api/v1/records/crm/account/${pick(accounts)}` }),
    graphql: () => client.send(graphql(ACCOUNT_QUERY, { id: pick(accounts) })),
    /** What HTTP itself costs between these two processes. */
    healthz: () => client.send({ method: 'GET', path: '/healthz' }),
  };
  const took: Record<string, number[]> = {};
  for (let round = -2; round < ROUNDS; round += 1)
    for (const [kind, once] of Object.entries(kinds)) {
      const some = await latenciesOf(EACH, once);
      // The first rounds warm the code.
      if (round >= 0) took[kind] = [...(took[kind] ?? []), ...some];
    }
  await bare.end();
  return Object.fromEntries(Object.entries(took).map(([kind, list]) => [kind, summary(list)]));
}

/** First pages and pages of 50 from random places, forward and backward, by each sort. */
async function lists(client: Client, rows: number): Promise<object> {
  const PAGES = 60;
  const path = '/api/v1/records/bench/item';
  const get = (query: string) => client.send({ method: 'GET', path: `${path}?${query}` });
  const result: Record<string, object> = {};
  for (const sort of SORTS)
    for (const direction of ['', '-']) {
      const order = `sort=${direction}${sort}`;
      const queries: string[] = [];
      while (queries.length < PAGES) {
        // A row anywhere: its cursor under this sort is where a page begins.
        const near = 1 + Math.floor(Math.random() * rows * 0.999);
        const found = JSON.parse((await get(`sort=id&id.gte=${near}&first=1&fields=id`)).text);
        const id = (found as { records: { id: string }[] }).records[0]?.id;
        if (id === undefined) continue;
        const { end } = JSON.parse((await get(`${order}&id=${id}&first=1&fields=id`)).text) as {
          end: string;
        };
        queries.push(order, `${order}&${queries.length % 4 ? 'after' : 'before'}=${encodeURIComponent(end)}`);
      }
      result[`${direction}${sort}`] = await oneByOne(queries.length, (index) => get(queries[index]!));
    }
  return { rows, pageSize: 50, bySort: result };
}
