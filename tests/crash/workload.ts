import pg from 'pg';
import { type Random, seeded } from '#tests/random';

/**
 * A random transactional workload over a few tables: every kind of change that capture must carry,
 * by several writers that fight over the same rows. Writers survive the death of the server.
 */
export const SETUP = `
CREATE SCHEMA shop;
CREATE TABLE shop.accounts (id bigint PRIMARY KEY, name text NOT NULL, balance numeric(14,2) NOT NULL, tags text[], meta jsonb, seen timestamptz, active boolean NOT NULL DEFAULT true);
CREATE TABLE shop.documents (id uuid PRIMARY KEY, title text, body text, blob bytea, size integer);
ALTER TABLE shop.documents ALTER COLUMN body SET STORAGE EXTERNAL, ALTER COLUMN blob SET STORAGE EXTERNAL;
CREATE TABLE shop.lines (order_id integer, line_no smallint, sku varchar(20), qty double precision, price numeric, due date, PRIMARY KEY (order_id, line_no));
CREATE TABLE shop.events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, at timestamp NOT NULL, payload json);
CREATE TABLE shop.full_rows (id integer PRIMARY KEY, note text, amount numeric);
ALTER TABLE shop.full_rows REPLICA IDENTITY FULL;
`;

const KEYS = 300;
const text = (random: Random, length: number): string =>
  Array.from({ length }, () =>
    random.pick(['a', 'Z', '0', ' ', '\t', '\n', '\\', "'", '"', 'é', '漢', '🙂', ',', '{', '}']),
  ).join('');

type Step = (client: pg.Client, random: Random) => Promise<unknown>;

const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

const STEPS: readonly (readonly [weight: number, step: Step])[] = [
  [
    10,
    (c, r) =>
      c.query(
        `INSERT INTO shop.accounts SELECT $1::bigint + g, $2, $3::numeric + g, ARRAY[$2, NULL, 'x'], jsonb_build_object('k', $2::text, 'n', g), now(), true
     FROM generate_series(0, $4) g ON CONFLICT (id) DO UPDATE SET name = excluded.name, balance = shop.accounts.balance + 1`,
        [r.below(KEYS), text(r, 12), r.below(100_000) / 100, r.below(8)],
      ),
  ],
  [
    10,
    (c, r) =>
      c.query('UPDATE shop.accounts SET balance = balance - 1, seen = now() WHERE id % 17 = $1', [
        r.below(17),
      ]),
  ],
  [6, (c, r) => c.query('DELETE FROM shop.accounts WHERE id = $1', [r.below(KEYS)])],
  [
    5,
    async (c, r) => {
      const id = r.below(KEYS);
      await c.query('DELETE FROM shop.accounts WHERE id = $1', [id]);
      await c.query('INSERT INTO shop.accounts (id, name, balance) VALUES ($1, $2, 0)', [id, text(r, 5)]);
    },
  ],
  [
    5,
    (c, r) =>
      c.query(
        'UPDATE shop.accounts SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM shop.accounts WHERE id = $2)',
        [r.below(KEYS), r.below(KEYS)],
      ),
  ],
  [
    6,
    (c, r) =>
      c.query(
        'INSERT INTO shop.documents VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET body = excluded.body, blob = excluded.blob',
        [
          uuid(r.below(KEYS)),
          text(r, 8),
          text(r, 3000 + r.below(6000)),
          Buffer.from(text(r, 2500)),
          r.below(1e6),
        ],
      ),
  ],
  [
    10,
    (c, r) =>
      c.query('UPDATE shop.documents SET title = $2, size = coalesce(size, 0) + 1 WHERE id = $1', [
        uuid(r.below(KEYS)),
        text(r, 8),
      ]),
  ],
  [
    3,
    (c, r) =>
      c.query(
        'UPDATE shop.documents SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM shop.documents WHERE id = $2)',
        [uuid(r.below(KEYS)), uuid(r.below(KEYS))],
      ),
  ],
  [3, (c, r) => c.query('DELETE FROM shop.documents WHERE id = $1', [uuid(r.below(KEYS))])],
  [
    8,
    (c, r) =>
      c.query(
        `INSERT INTO shop.lines SELECT $1, g, 'sku' || g, $2, $3, date '2024-01-01' + g FROM generate_series(1, 5) g ON CONFLICT DO NOTHING`,
        [r.below(KEYS), r.next() * 1e9, String(r.below(1e9) / 1e5)],
      ),
  ],
  [
    6,
    (c, r) =>
      c.query('UPDATE shop.lines SET qty = $2, due = $3 WHERE order_id = $1', [
        r.below(KEYS),
        r.pick([Number.NaN, Number.POSITIVE_INFINITY, 0.1, -1e-300]),
        r.pick(['infinity', '0001-01-01', '2025-02-03', null]),
      ]),
  ],
  [
    4,
    (c, r) =>
      c.query('UPDATE shop.lines SET price = $2 WHERE order_id = $1', [
        r.below(KEYS),
        r.pick(['NaN', '1e-30', '12345678901234567890.5', null]),
      ]),
  ],
  [
    3,
    (c, r) =>
      c.query('DELETE FROM shop.lines WHERE order_id = $1 AND line_no > $2', [r.below(KEYS), r.below(5)]),
  ],
  [
    10,
    (c, r) =>
      c.query(
        "INSERT INTO shop.events (kind, at, payload) SELECT $1, localtimestamp, json_build_object('g', g) FROM generate_series(1, $2) g",
        [text(r, 4), 1 + r.below(40)],
      ),
  ],
  [2, (c, r) => c.query('DELETE FROM shop.events WHERE id % 50 = $1', [r.below(50)])],
  [
    5,
    (c, r) =>
      c.query(
        'INSERT INTO shop.full_rows VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET note = excluded.note',
        [r.below(100), text(r, 20), String(r.below(1000))],
      ),
  ],
  [3, (c, r) => c.query('DELETE FROM shop.full_rows WHERE id = $1', [r.below(100)])],
];

const DDL: readonly ((n: number) => string)[] = [
  (n) => `ALTER TABLE shop.accounts ADD COLUMN extra_${n} integer DEFAULT ${n}`,
  (n) => `ALTER TABLE shop.lines ADD COLUMN note_${n} text`,
  (n) =>
    `ALTER TABLE shop.events RENAME COLUMN kind TO kind_${n}; ALTER TABLE shop.events RENAME COLUMN kind_${n} TO kind`,
  () =>
    'ALTER TABLE shop.documents ALTER COLUMN size TYPE bigint; ALTER TABLE shop.documents ALTER COLUMN size TYPE integer USING 0',
  (n) =>
    `CREATE TABLE shop.late_${n} (id integer PRIMARY KEY, v text); INSERT INTO shop.late_${n} SELECT g, 'v' || g FROM generate_series(1, 200) g`,
  () => 'TRUNCATE shop.full_rows',
  (n) =>
    `ALTER TABLE shop.accounts ADD COLUMN gone_${n} text DEFAULT 'x'; UPDATE shop.accounts SET gone_${n} = 'y' WHERE id % 3 = 0; ALTER TABLE shop.accounts DROP COLUMN gone_${n}`,
  (n) => `ALTER TABLE shop.accounts ADD COLUMN made_${n} uuid DEFAULT gen_random_uuid()`,
];

const totalWeight = STEPS.reduce((sum, [weight]) => sum + weight, 0);

function step(random: Random): Step {
  let at = random.next() * totalWeight;
  for (const [weight, run] of STEPS) {
    at -= weight;
    if (at < 0) return run;
  }
  return STEPS[0]![1];
}

async function transaction(client: pg.Client, random: Random): Promise<void> {
  await client.query('BEGIN');
  for (let i = random.below(6); i >= 0; i -= 1) {
    if (random.chance(0.2)) {
      await client.query('SAVEPOINT s');
      await step(random)(client, random);
      await client.query(random.chance(0.5) ? 'ROLLBACK TO SAVEPOINT s' : 'RELEASE SAVEPOINT s');
    } else await step(random)(client, random);
  }
  await client.query(random.chance(0.15) ? 'ROLLBACK' : 'COMMIT');
}

export interface WorkloadStats {
  committed: number;
  conflicts: number;
  reconnects: number;
  ddl: number;
}

/** Runs `writers` until `signal` aborts; resolves when all have stopped, with no transaction open. */
export async function runWorkload(
  url: string,
  seed: number,
  writers: number,
  signal: AbortSignal,
): Promise<WorkloadStats> {
  const stats: WorkloadStats = { committed: 0, conflicts: 0, reconnects: 0, ddl: 0 };
  let ddlNumber = 0;
  const writer = async (index: number): Promise<void> => {
    const random = seeded(seed * 31 + index);
    let client: pg.Client | null = null;
    while (!signal.aborted) {
      try {
        client ??= await connect(url);
        if (index === 0 && random.chance(0.02)) {
          ddlNumber += 1;
          await client.query("SET lock_timeout = '2s'");
          await client.query(random.pick(DDL)(ddlNumber));
          stats.ddl += 1;
        } else {
          await transaction(client, random);
          stats.committed += 1;
        }
      } catch (error) {
        if (await recovered(client, error)) stats.conflicts += 1;
        else {
          stats.reconnects += 1;
          client?.end().catch(() => {});
          client = null;
        }
      }
    }
    await client?.end();
  };
  await Promise.all(Array.from({ length: writers }, (_, index) => writer(index)));
  return stats;
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, statement_timeout: 20_000 });
  client.on('error', () => {}); // the server dies on purpose; the next statement reports it
  await client.connect();
  return client;
}

/** True if the connection lives on after an ordinary conflict (deadlock, duplicate, timeout). */
async function recovered(client: pg.Client | null, error: unknown): Promise<boolean> {
  if (!client || (error as { severity?: string }).severity !== 'ERROR') return false;
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  );
}
