import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testClickHouse } from '#tests/clickhouse';

/** Everything at once: parameters, settings, databases, aborted and failing statements must not meet. */

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('bind' as const), text: fc.string({ unit: 'grapheme' }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('set' as const), size: fc.integer({ min: 1, max: 60_000 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('insert' as const), n: fc.integer({ min: 0, max: 1000 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('abort' as const), after: fc.integer({ min: 0, max: 60 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const) }) },
);

test('requests beside each other stay apart', async () => {
  await using engine = await testClickHouse({ sessions: 6 });
  const { warehouse } = engine;
  await warehouse.command('CREATE TABLE t (n UInt64) ENGINE = Memory');
  const { pid } = engine;
  let inserted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 40, maxLength: 120 }), async (operations) => {
      const run = async (op: (typeof operations)[number]): Promise<void> => {
        if (op.kind === 'bind') {
          const sql = 'SELECT {text:String} AS text, length({text:String}) AS bytes';
          const [row] = await warehouse.query(sql, { params: { text: op.text } });
          expect(row).toEqual({ text: op.text, bytes: String(Buffer.byteLength(op.text)) });
        } else if (op.kind === 'set') {
          const sql = "SELECT toUInt32(getSetting('max_block_size')) AS size";
          expect(await warehouse.query(sql, { settings: { max_block_size: op.size } })).toEqual([
            { size: op.size },
          ]);
        } else if (op.kind === 'insert') {
          const rows = Buffer.from('7\n'.repeat(op.n));
          await warehouse.insert('INSERT INTO t (n)', 'TabSeparated', rows);
          inserted += op.n;
        } else if (op.kind === 'abort') {
          const signal = AbortSignal.timeout(op.after);
          const endless = warehouse.query('SELECT sum(sipHash64(number)) FROM numbers(1000000000000)', {
            signal,
          });
          await expect(endless).rejects.toMatchObject({ name: 'TimeoutError' });
        } else {
          await expect(
            warehouse.query("SELECT throwIf(number = 5, 'x') FROM numbers(10)"),
          ).rejects.toMatchObject({
            details: { clickhouseCode: 395 },
          });
        }
      };
      await Promise.all(operations.map(run));
    }),
    { numRuns: 6, verbose: true, endOnFailure: true },
  );
  expect(await warehouse.query('SELECT count() AS n FROM t')).toEqual([{ n: String(inserted) }]);
  expect(engine.pid).toBe(pid);
  const left =
    "SELECT count() AS n FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%processes%'";
  await expect.poll(() => warehouse.query(left), { timeout: 20_000 }).toEqual([{ n: '0' }]);
}, 120_000);
