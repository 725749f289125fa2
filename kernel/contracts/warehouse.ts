import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Warehouse } from '../ports/index.ts';

export interface OpenedWarehouse extends AsyncDisposable {
  readonly warehouse: Warehouse;
}

const DATABASE = 'warehouse_contract';

/** What every `Warehouse` adapter must keep, on every ClickHouse. Uses a database of its own and drops it. */
export function warehouseContract(name: string, open: () => Promise<OpenedWarehouse>): void {
  describe(`warehouse contract: ${name}`, () => {
    let opened: OpenedWarehouse;
    let warehouse: Warehouse;

    beforeAll(async () => {
      opened = await open();
      warehouse = opened.warehouse;
      await warehouse.command(`DROP DATABASE IF EXISTS ${DATABASE}`);
      await warehouse.command(`CREATE DATABASE ${DATABASE}`);
    });

    afterAll(async () => {
      await warehouse.command(`DROP DATABASE IF EXISTS ${DATABASE}`);
      await opened[Symbol.asyncDispose]();
    });

    const table = async (label: string, columns: string): Promise<string> => {
      await warehouse.command(
        `CREATE OR REPLACE TABLE ${DATABASE}.${label} (${columns}) ENGINE = MergeTree ORDER BY tuple()`,
      );
      return `${DATABASE}.${label}`;
    };
    const count = async (target: string): Promise<number> =>
      Number((await warehouse.query<{ n: string }>(`SELECT count() AS n FROM ${target}`))[0]!.n);

    test('answers a ping', async () => {
      expect(await warehouse.ping()).toBe(true);
    });

    test('returns rows as objects, 64-bit integers as strings', async () => {
      const rows = await warehouse.query(
        'SELECT toUInt64(18446744073709551615) AS big, 7 AS small, NULL AS none',
      );
      expect(rows).toEqual([{ big: '18446744073709551615', small: 7, none: null }]);
      expect(await warehouse.query('SELECT 1 WHERE 0')).toEqual([]);
    });

    test('binds any text as a parameter, exactly', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.string({ unit: 'binary' }),
          fc.array(fc.string({ unit: 'grapheme' })),
          fc.option(fc.string()),
          async (one, many, maybe) => {
            const sql =
              'SELECT {one:String} AS one, {many:Array(String)} AS many, {maybe:Nullable(String)} AS maybe';
            const [row] = await warehouse.query(sql, { params: { one, many, maybe } });
            expect(row).toEqual({ one, many, maybe });
          },
        ),
        { numRuns: 60, verbose: true },
      );
    });

    test('round-trips any text through TabSeparated', async () => {
      const target = await table('texts', 'n UInt32, s String');
      const escaped = (value: string): string =>
        value.replace(/[\\\t\n\r\0]/g, (char) => ESCAPES[char as keyof typeof ESCAPES]);
      await fc.assert(
        fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), async (values) => {
          await warehouse.command(`TRUNCATE TABLE ${target}`);
          const body = values.map((value, index) => `${index}\t${escaped(value)}\n`).join('');
          await warehouse.insert(`INSERT INTO ${target} (n, s)`, 'TabSeparated', Buffer.from(body));
          const rows = await warehouse.query<{ s: string }>(`SELECT s FROM ${target} ORDER BY n`);
          expect(rows.map((row) => row.s)).toEqual(values);
        }),
        { numRuns: 25, verbose: true },
      );
    });

    test('an insert with a bad row fails with its code and stores nothing of its block', async () => {
      const target = await table('bad_rows', 'n UInt32');
      const failed = warehouse.insert(`INSERT INTO ${target} (n)`, 'TabSeparated', Buffer.from('1\nx\n3\n'));
      await expect(failed).rejects.toMatchObject({ code: expect.stringMatching(/^WAREHOUSE_CANNOT_PARSE/) });
      expect(await count(target)).toBe(0);
    });

    test('inserts streams, plain and through input()', async () => {
      const target = await table('streamed', 'n UInt64, s String');
      const rows = (): Readable =>
        Readable.from(
          (function* () {
            for (let from = 0; from < 200_000; from += 1000) {
              yield Buffer.from(
                Array.from({ length: 1000 }, (_, index) => `${from + index}\t${'x'.repeat(20)}\n`).join(''),
              );
            }
          })(),
          { objectMode: false },
        );
      await warehouse.insert(`INSERT INTO ${target} (n, s)`, 'TabSeparated', rows());
      const input = `INSERT INTO ${target} SELECT n + 200000, upper(s) FROM input('n UInt64, s String')`;
      await warehouse.insert(input, 'TabSeparated', rows());
      await warehouse.insert(input, 'TabSeparated', Buffer.from('200000\tq\n'));
      const sql = `SELECT count() AS c, uniqExact(n) AS u, max(n) AS m, countIf(s = upper(s)) AS up FROM ${target}`;
      expect(await warehouse.query(sql)).toEqual([{ c: '400001', u: '400001', m: '400000', up: '200001' }]);
    });

    test.each(['', " SELECT n FROM input('n UInt64')"])(
      'a body that breaks off fails the insert%s',
      async (select) => {
        const target = await table('broken', 'n UInt64');
        const body = Readable.from(
          (async function* () {
            for (let from = 0; from < 300_000; from += 1) yield `${from}\n`;
            throw new Error('the source broke');
          })(),
          { objectMode: false },
        );
        const columns = select === '' ? ' (n)' : '';
        await expect(
          warehouse.insert(`INSERT INTO ${target}${columns}${select}`, 'TabSeparated', body),
        ).rejects.toThrow();
        expect(await count(target)).toBe(0);
      },
    );

    test('streams a large result and cancels it when destroyed', async () => {
      const stream = await warehouse.stream('SELECT number FROM numbers(300000)', 'TabSeparated');
      expect((await text(stream)).split('\n').length).toBe(300_001);
      const queryId = `contract-${process.pid}-${Math.floor(performance.now())}`;
      const endless = await warehouse.stream('SELECT number FROM numbers(1000000000000)', 'TabSeparated', {
        queryId,
      });
      await once(endless, 'readable');
      endless.destroy();
      const running = async (): Promise<number> =>
        (
          await warehouse.query(
            "SELECT 1 FROM system.processes WHERE query LIKE '%numbers(1000000000000)%' AND query NOT LIKE '%processes%'",
          )
        ).length;
      await expect.poll(running, { timeout: 10_000 }).toBe(0);
    });

    test('an exception within a result fails its stream', async () => {
      const sql = "SELECT number, throwIf(number = 2000000, 'too far') FROM numbers(4000000)";
      const read = async (): Promise<string> => text(await warehouse.stream(sql, 'TabSeparated'));
      await expect(read()).rejects.toMatchObject({
        code: 'WAREHOUSE_FUNCTION_THROW_IF_VALUE_IS_NON_ZERO',
        details: { clickhouseCode: 395 },
      });
    });

    test('an aborted query rejects with the reason of its signal', async () => {
      const controller = new AbortController();
      const query = warehouse.query('SELECT sum(sipHash64(number)) FROM numbers(1000000000000)', {
        signal: controller.signal,
      });
      setTimeout(() => controller.abort(new Error('enough')), 100);
      await expect(query).rejects.toThrow('enough');
    });

    test.each([
      ['SELEC 1', 'WAREHOUSE_SYNTAX_ERROR', 62, 'user'],
      ['SELECT * FROM nowhere.nothing', /WAREHOUSE_UNKNOWN_(DATABASE|TABLE)/, expect.any(Number), 'user'],
      ['SELECT nothing', 'WAREHOUSE_UNKNOWN_IDENTIFIER', 47, 'user'],
      ["SELECT throwIf(1, 'no')", 'WAREHOUSE_FUNCTION_THROW_IF_VALUE_IS_NON_ZERO', 395, 'fatal'],
    ])('%s has its code and disposition', async (sql, code, clickhouseCode, disposition) => {
      await expect(warehouse.query(sql)).rejects.toMatchObject({
        code: code instanceof RegExp ? expect.stringMatching(code) : code,
        details: { clickhouseCode },
        disposition,
      });
    });

    test('settings hold for their own query only; a time limit is transient', async () => {
      const size = "SELECT toString(getSetting('max_block_size')) AS v";
      const [before] = await warehouse.query<{ v: string }>(size);
      expect(await warehouse.query(size, { settings: { max_block_size: 1234 } })).toEqual([{ v: '1234' }]);
      for (let index = 0; index < 10; index += 1) expect(await warehouse.query(size)).toEqual([before]);
      await expect(
        warehouse.query('SELECT sum(sipHash64(number)) FROM numbers(1000000000000)', {
          settings: { max_execution_time: 1 },
        }),
      ).rejects.toMatchObject({ code: 'WAREHOUSE_TIMEOUT_EXCEEDED', disposition: 'transient' });
    });
  });
}

const ESCAPES = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r', '\0': '\\0' } as const;
