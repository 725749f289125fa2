import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { shareCompileWorker, type WorkerPools } from './compile-pool.ts';
import { Translations } from './translations.ts';

/** The library's side: what it is asked to translate, and by how many threads. */
function pools(
  errorsOf: (content: string) => string[] = () => [],
  translations = new Translations(null, () => {}),
) {
  const asked: { cubeNames: string[]; cubeSymbols: object; content: string }[] = [];
  let threads = 0;
  const library: WorkerPools = {
    pool() {
      threads += 1;
      return {
        async exec(_method, [file]) {
          const one = file as (typeof asked)[number];
          asked.push(one);
          return { content: `done ${one.content}`, errors: errorsOf(one.content), warnings: [] };
        },
        terminate: async () => {},
      };
    },
  };
  shareCompileWorker(library, translations);
  return { library, asked, threads: () => threads };
}

const file = (content: string) => ({
  fileName: 'orders.js',
  content,
  transpilers: ['CubePropContextTranspiler'],
  cubeNames: ['orders', 'people'],
  cubeSymbols: { orders: { count: true, id: true }, people: { id: true, name: true } },
});

test('a file is sent with the names it mentions, and once however many models hold it', async () => {
  const { library, asked, threads } = pools();
  const content = "cube('orders', { sql: `x`, measures: { count: { type: 'count' } } })";
  for (let model = 0; model < 3; model += 1) {
    const pool = library.pool('script');
    expect(await pool.exec('transpileJs', [file(content)])).toMatchObject({ content: `done ${content}` });
    await pool.terminate();
  }
  expect(asked).toMatchObject([{ cubeNames: ['orders'], cubeSymbols: { orders: { count: true } } }]);
  expect(threads()).toBe(1);
  // A name that it mentions is another one by now: another translation.
  await library
    .pool('script')
    .exec('transpileJs', [{ ...file(content), cubeSymbols: { orders: { count: true, sql: true } } }]);
  expect(asked).toHaveLength(2);
});

test('a thread that has told an error is not used by the next model', async () => {
  const { library, threads } = pools((content) => (content === 'bad' ? ['it is bad'] : []));
  const first = library.pool('script');
  expect(await first.exec('transpileJs', [file('bad')])).toMatchObject({ errors: ['it is bad'] });
  await first.terminate();
  await library.pool('script').exec('transpileJs', [file('good')]);
  expect(threads()).toBe(2);
});

test('the next process finds what was translated; a torn file costs only the time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bac-test-translations-'));
  const kept = join(folder, 'cache', 'translations.json.gz');
  const told: unknown[] = [];
  const process = async (content: string): Promise<number> => {
    const { library, asked } = pools(
      (text) => (text === 'bad' ? ['it is bad'] : []),
      new Translations(kept, (error) => told.push(error)),
    );
    const pool = library.pool('script');
    const done = (await pool.exec('transpileJs', [file(content)])) as { content: string };
    expect(done.content).toBe(`done ${content}`);
    await pool.terminate();
    return asked.length;
  };
  expect([await process('one'), await process('one'), await process('two'), await process('one')]).toEqual([
    1, 0, 1, 0,
  ]);
  expect([await process('bad'), await process('bad')]).toEqual([1, 1]);
  expect(told).toHaveLength(1); // there was none at first
  writeFileSync(kept, 'torn');
  expect([await process('one'), await process('one')]).toEqual([1, 0]);
  expect(told).toHaveLength(2);
  rmSync(folder, { recursive: true });
});
