import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableSchema } from '#kernel';
import { type TestPostgres, testPostgres } from '#tests/postgres';
import type { Relation } from '../pgoutput/index.ts';
import { alignRelation, type CatalogTable, introspectTables } from './index.ts';

let server: TestPostgres;
let client: pg.Client;

beforeAll(async () => {
  server = await testPostgres();
  client = new pg.Client(server.url);
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await server[Symbol.asyncDispose]();
});

const RELATION_SQL = `
SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS table, c.relreplident::text AS identity,
  json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::int8, 'typmod', a.atttypmod,
    'attnum', a.attnum, 'sourceType', format_type(a.atttypid, a.atttypmod),
    'partOfKey', c.relreplident = 'f' OR coalesce(a.attnum = ANY (i.indkey), false)) ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.oid = $1::regclass GROUP BY c.oid, n.nspname`;

interface Truth extends Relation {
  readonly columns: readonly (Relation['columns'][number] & { attnum: number; sourceType: string })[];
}

/** What pgoutput would say of the table now, with the attribute numbers it does not say. */
async function relationNow(table: string): Promise<Truth> {
  const { rows } = await client.query<Truth>(RELATION_SQL, [table]);
  return rows[0]!;
}

async function catalogNow(table: string): Promise<CatalogTable> {
  const [found] = await introspectTables(client, 's', { tables: [table] });
  return found!;
}

const NAMES = ['a', 'b', 'c', 'd'];
const TYPES = ['int', 'text', 'numeric(10,2)', 'timestamptz'];
const name = fc.constantFrom(...NAMES);
const type = fc.constantFrom(...TYPES);
const ddl = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), name, type, fill: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('drop' as const), name }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('rename' as const), name, to: name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('type' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('volatile' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rewrite' as const) }) },
);
type Ddl = typeof ddl extends fc.Arbitrary<infer T> ? T : never;

function sqlOf(step: Ddl): string {
  switch (step.do) {
    case 'add':
      return `ALTER TABLE public.t ADD ${step.name} ${step.type}${step.fill ? ' DEFAULT NULL' : ''}`;
    case 'drop':
      return `ALTER TABLE public.t DROP ${step.name}`;
    case 'rename':
      return `ALTER TABLE public.t RENAME ${step.name} TO ${step.to}`;
    case 'type':
      return `ALTER TABLE public.t ALTER ${step.name} TYPE text`;
    case 'volatile':
      return `ALTER TABLE public.t ADD ${step.name} float8 DEFAULT random()`;
    case 'rewrite':
      return 'VACUUM FULL public.t';
  }
}

async function tryRun(sql: string): Promise<void> {
  await client.query(sql).catch((error: { code?: string }) => {
    // A column that is not there, or is there already: this step does nothing.
    if (!['42703', '42701'].includes(error.code ?? '')) throw error;
  });
}

/** Attribute number, name and type of every column: what must never be mistaken. */
const mapping = (columns: readonly { attnum: number; name: string; type: { sourceType: string } }[]) =>
  columns.map((column) => [column.attnum, column.name, column.type.sourceType]);

describe('alignRelation', () => {
  it('aligns lists older than the catalog rightly or asks for a new snapshot', {
    timeout: 300_000,
  }, async () => {
    const outcomes = { same: 0, compatible: 0, resnapshot: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(ddl, { minLength: 1, maxLength: 5 }), async (steps) => {
        await client.query('DROP TABLE IF EXISTS public.t');
        await client.query('CREATE TABLE public.t (id int PRIMARY KEY, a int, b text, c int)');
        await client.query("INSERT INTO public.t VALUES (1, 1, 'x', 2)");
        const begin = await catalogNow('t');
        const truths = [await relationNow('public.t')];
        for (const step of steps) {
          await tryRun(sqlOf(step));
          truths.push(await relationNow('public.t'));
        }
        const catalog = await catalogNow('t');
        let previous: TableSchema = { ...begin.schema, version: 1 };
        for (const truth of truths) {
          const alignment = alignRelation(previous, truth, catalog);
          outcomes[alignment.change] += 1;
          if (alignment.change === 'resnapshot') break;
          expect(mapping(alignment.schema.columns)).toEqual(
            truth.columns.map((column) => [column.attnum, column.name, column.sourceType]),
          );
          expect(alignment.schema.key).toEqual(['id']);
          const { rows } = await client.query<{ missing: Record<string, boolean> }>(
            "SELECT jsonb_object_agg(attnum, atthasmissing) AS missing FROM pg_attribute WHERE attrelid = 'public.t'::regclass AND attnum > 0",
          );
          for (const column of alignment.schema.columns) {
            if (!rows[0]!.missing[column.attnum]) expect(column.fill).toBeNull();
          }
          previous = { ...alignment.schema, version: previous.version + 1 };
        }
      }),
      { numRuns: 400, verbose: 1 },
    );
    // The answer must also be useful: most steps are understood.
    expect(outcomes.same + outcomes.compatible).toBeGreaterThan(outcomes.resnapshot * 2);
  });

  /** Runs `statements` on a fresh table and aligns the list seen at the end. */
  async function alignedAfter(create: string, statements: string[], more: string[] = []) {
    await client.query('DROP TABLE IF EXISTS public.t');
    await client.query(create);
    const begin = await catalogNow('t');
    for (const sql of statements) await client.query(sql);
    const relation = await relationNow('public.t');
    for (const sql of more) await client.query(sql);
    return alignRelation({ ...begin.schema, version: 1 }, relation, await catalogNow('t'));
  }
  const T = 'CREATE TABLE public.t (id int PRIMARY KEY, a int, b text)';

  it('recognises a rename by attribute number', async () => {
    const { change, schema, details } = await alignedAfter(T, ['ALTER TABLE public.t RENAME a TO z']);
    expect(change).toBe('compatible');
    expect(schema.columns.map(({ name, attnum }) => [name, attnum])).toEqual([
      ['id', 1],
      ['z', 2],
      ['b', 3],
    ]);
    expect(details).toEqual(['renamed a to z']);
  });

  it('renames the key with its column', async () => {
    const { change, schema } = await alignedAfter(T, ['ALTER TABLE public.t RENAME id TO number']);
    expect([change, schema.key]).toEqual(['compatible', ['number']]);
  });

  it('carries the value that older rows have in an added column', async () => {
    const { change, schema } = await alignedAfter(T, [
      "ALTER TABLE public.t ADD c text NOT NULL DEFAULT 'x,{}'",
    ]);
    expect(change).toBe('compatible');
    expect(schema.columns.at(-1)).toMatchObject({ name: 'c', fill: 'x,{}', nullable: true });
  });

  it.each([
    ['a type change', ['ALTER TABLE public.t ALTER a TYPE bigint']],
    ['a computed default', ['ALTER TABLE public.t ADD c timestamptz DEFAULT clock_timestamp()']],
    ['an added column and a rewrite', ['ALTER TABLE public.t ADD c int DEFAULT 7, ALTER a TYPE bigint']],
    [
      'a fill value lost by a rewrite',
      [
        'ALTER TABLE public.t ADD c int DEFAULT 7',
        'ALTER TABLE public.t ALTER c DROP DEFAULT',
        'VACUUM FULL public.t',
      ],
    ],
    ['another key', ['ALTER TABLE public.t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, b)']],
    ['a lost key', ['ALTER TABLE public.t DROP CONSTRAINT t_pkey']],
    ['a table made again', ['DROP TABLE public.t', T]],
    ['a swap of two columns', ['ALTER TABLE public.t DROP a, ADD c int']],
  ])('asks for a new snapshot after %s', async (_, statements) => {
    expect((await alignedAfter(T, statements)).change).toBe('resnapshot');
  });

  it('understands a column that the catalog has already lost', async () => {
    const { change } = await alignedAfter(T, [], ['ALTER TABLE public.t DROP a']);
    expect(change).toBe('same');
  });

  it('tells a dropped and an added column apart when it sees them one after the other', async () => {
    await client.query('DROP TABLE IF EXISTS public.t');
    await client.query(T);
    const begin: TableSchema = { ...(await catalogNow('t')).schema, version: 1 };
    await client.query('ALTER TABLE public.t DROP a');
    const dropped = await relationNow('public.t');
    await client.query('ALTER TABLE public.t ADD c int');
    const addedLater = await relationNow('public.t');
    const catalog = await catalogNow('t');
    const first = alignRelation(begin, dropped, catalog);
    expect([first.change, first.details]).toEqual(['compatible', ['dropped a']]);
    const second = alignRelation({ ...first.schema, version: 2 }, addedLater, catalog);
    expect([second.change, second.details]).toEqual(['compatible', ['added c']]);
    expect(second.schema.columns.map(({ attnum }) => attnum)).toEqual([1, 3, 4]);
  });

  it('asks for a new snapshot when columns of a table without a key change', async () => {
    const keyless = 'CREATE TABLE public.t (a int, b text); ALTER TABLE public.t REPLICA IDENTITY FULL';
    expect((await alignedAfter(keyless, [])).change).toBe('same');
    expect((await alignedAfter(keyless, ['ALTER TABLE public.t ADD c int'])).change).toBe('resnapshot');
  });
});
