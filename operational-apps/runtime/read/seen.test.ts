import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '#kernel';
import { createModel } from '../model/model.ts';
import { createSessions, type Sessions } from '../sessions/index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from '../testing.ts';
import { listQuery } from './list.ts';

const APP = `
app: { name: seen, label: Seen }
roles: { seller: Seller, agent: Agent, auditor: Auditor, visitor: Visitor, mixed: Mixed, reader: Reader }
permissions: [{ role: admin, can: all }]
entities:
  person:
    titleField: email
    permissions: [{ role: everyone, can: [read] }]
    fields: { email: { type: email, required: true, indexed: true } }
  row:
    titleField: t
    permissions:
      - { role: seller, can: [read], where: owner.email = $user }
      - { role: agent, can: [read], where: owner.email = $user or n = 7 }
      - { role: auditor, can: [read], where: n = 3 and kind = 'a' }
      - { role: auditor, can: [read], where: "n in (5, 6)" }
      - { role: visitor, can: [read], where: n = 100000 or owner.email = 'nobody@x.example' }
      - { role: mixed, can: [read], where: "kind = 'a' and (n = 9 or owner is null) or n > 98" }
      - { role: reader, can: [read], where: reader.email = $user }
    fields:
      owner: { type: reference, entity: person }
      reader: { type: reference, entity: person }
      t: { type: text, required: true, indexed: true }
      n: { type: integer, required: true, indexed: true }
      kind: { type: select, options: { a: A, b: B, c: C }, required: true, indexed: true }
      due: { type: date, indexed: true }
`;
const ROWS = 30_000;
/** What each sees, said once more in SQL of the test's own. */
const SEEN: Readonly<Record<string, string>> = {
  seller: 'owner_id = 2',
  agent: 'owner_id = 2 OR n = 7',
  auditor: "n = 3 AND kind = 'a' OR n IN (5, 6)",
  visitor: 'false',
  reader: 'reader_id = 2',
  mixed: "kind = 'a' AND (n = 9 OR owner_id IS NULL) OR n > 98",
};
const SORTS = [['id'], ['t'], ['-t'], ['n'], ['kind'], ['due'], ['-due'], ['created_at'], ['-kind', 't']];
/** Walking along an order and looking at each row takes thousands. */
const MOST_BLOCKS = 700;
const PAGE = 50;

let db: TestRuntime;
let sessions: Sessions;
const apps = appsOf(APP);

beforeAll(async () => {
  db = await testRuntime(apps);
  sessions = createSessions({ url: db.url, logger: silentLogger() });
  await db.owner.query(
    `INSERT INTO seen.person (tenant_id, email) SELECT 'one', 'p' || g || '@x.example' FROM generate_series(1, 3000) g`,
  );
  await db.owner.query(
    `INSERT INTO seen.row (tenant_id, owner_id, reader_id, t, n, kind, due)
     SELECT 'one', CASE WHEN g % 60 < 50 THEN 1 + (hashint8(g) & 31) END, 1 + g % 3000, md5(g::text), g % 100, chr(97 + g % 3),
            CASE WHEN g % 4 > 0 THEN date '2026-01-01' + g % 300 END
     FROM generate_series(1, $1::int) g`,
    [ROWS],
  );
  await db.owner.query('VACUUM ANALYZE seen.row, seen.person');
});
afterAll(async () => {
  await sessions?.close();
  await db?.[Symbol.asyncDispose]();
});

const orderOf = (sort: readonly string[]): string =>
  [...sort, ...(sort.includes('id') ? [] : [sort.at(-1)!.startsWith('-') ? '-id' : 'id'])]
    .map((key) => (key.startsWith('-') ? `${key.slice(1)} DESC NULLS FIRST` : `${key} ASC NULLS LAST`))
    .join(', ');

/** What the transaction has read of the table so far: rows, and blocks with those of its indexes. */
const READ = `SELECT sum(pg_stat_get_xact_tuples_fetched(oid) + CASE WHEN relkind = 'r' THEN pg_stat_get_xact_tuples_returned(oid) ELSE 0 END)::text,
    sum(pg_stat_get_xact_blocks_fetched(oid))::text
  FROM pg_class
  WHERE oid = 'seen.row'::regclass OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'seen.row'::regclass)`;
const reading = { text: READ, keep: true, onePlan: true };

test.each(Object.keys(SEEN))(
  'pages of %s are those of the plain query, and read little of the table',
  async (role) => {
    const principal = someone('p2@x.example', [role]);
    const records = db.runtime.as(principal, { surface: 'web' });
    const model = createModel(apps);
    const { roles, rights, compiled } = model.policy.profile(principal);
    const access = { catalogue: model.catalogue, roles, rights, compiled };
    const identity = { tenant: 'one', user: principal.user, roles, attributes: {} };
    const read = async (query: Parameters<typeof listQuery>[2]) => {
      const { statement } = listQuery(access, model.catalogue.entity('seen.row'), query);
      const [before, , after] = await sessions.readAll(identity, [reading, statement, reading]);
      const [rows, blocks] = after!.rows[0]!.map((count, at) => Number(count) - Number(before!.rows[0]![at]));
      return { rows: rows!, blocks: blocks! };
    };

    for (const sort of SORTS) {
      const { rows } = await db.owner.query<{ id: string }>(
        `SELECT id FROM seen.row WHERE tenant_id = 'one' AND (${SEEN[role]}) ORDER BY ${orderOf(sort)}`,
      );
      const wanted = rows.map((row) => row.id);
      const all = await records.list('seen.row', { sort, first: 500, select: {} });
      expect(all.rows.map((row) => row.record.id)).toEqual(wanted.slice(0, 500));
      for (const [backward, from] of [
        [false, 0],
        [false, Math.min(240, wanted.length - 1)],
        [true, Math.min(240, wanted.length - 1)],
      ] as const) {
        if (from < 0) continue;
        const cursor = from === 0 ? {} : { after: all.rows[from]!.cursor };
        const query = { sort, first: PAGE, backward, ...cursor };
        const page = await records.list('seen.row', query);
        expect(page.rows.map((row) => row.record.id)).toEqual(
          from === 0
            ? wanted.slice(0, PAGE)
            : backward
              ? wanted.slice(from - PAGE, from)
              : wanted.slice(from + 1, from + 1 + PAGE),
        );
        // Nothing has promised an index for an order of two fields.
        if (sort.length > 1) continue;
        const cost = await read(query);
        const about = `${sort} ${backward ? 'before' : 'after'} ${from}: ${JSON.stringify(cost)}`;
        expect(cost.rows, about).toBeLessThan(ROWS / 10);
        expect(cost.blocks, about).toBeLessThan(MOST_BLOCKS);
      }
    }
  },
);
