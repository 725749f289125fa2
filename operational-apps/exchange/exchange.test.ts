import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appsOf, someone, type TestRuntime, testRuntime } from '../runtime/testing.ts';
import type { Records, Values } from '../runtime/types.ts';
import { readCsv } from './csv.ts';
import { exportRecords, FORMAT_NAMES, type FormatName, type ImportReport, importRecords } from './index.ts';

const APPS = appsOf(`
app: { name: stock, label: Stock }
roles: { keeper: Keeper, reader: Reader }
permissions: [{ role: keeper, can: all }]
entities:
  item:
    titleField: name
    permissions:
      - { role: keeper, can: all }
      - { role: reader, can: [read, export], hide: [cost] }
    fields:
      name: { type: text, required: true, maxLength: 60 }
      code: { type: text, unique: true }
      cost: { type: money, currency: EUR }
      weight: { type: decimal, precision: 20, scale: 6 }
      pieces: { type: integer }
      fragile: { type: boolean }
      made_on: { type: date }
      seen_at: { type: dateTime }
      kind: { type: select, options: { raw: Raw, done: Done } }
      tags: { type: multiSelect, options: { a: A, b: B } }
      origin: { type: address }
      facts: { type: json }
      parent: { type: reference, entity: item }
      parts: { type: childTable, entity: part }
  part:
    fields:
      name: { type: text, required: true }
`);

let engine: TestRuntime;
beforeAll(async () => {
  engine = await testRuntime(APPS);
});
afterAll(() => engine[Symbol.asyncDispose]());

const as = (tenant: string, role = 'keeper'): Records =>
  engine.runtime.as(someone(`${role}@x.example`, [role], tenant), { surface: 'import' });
const item = () => engine.runtime.entity('stock.item');

async function exported(records: Records, format: FormatName, columns?: string[]): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of exportRecords(records, item(), { format, query: { sort: ['name'] }, columns })
    .content)
    chunks.push(chunk);
  return Buffer.concat(chunks);
}
const imported = (
  records: Records,
  content: Buffer | string,
  options: Partial<Parameters<typeof importRecords>[3]> = {},
): Promise<ImportReport> =>
  importRecords(records, item(), Readable.from([Buffer.from(content)]), { format: 'csv', ...options });

const ODD: readonly Values[] = [
  {
    name: 'plain',
    code: 'c-1',
    cost: '12.50',
    weight: '0.000001',
    pieces: 3,
    fragile: true,
    made_on: '2026-02-28',
    seen_at: '2026-02-28T23:59:59.123456Z',
    kind: 'raw',
    tags: ['a', 'b'],
  },
  { name: '=1+1', code: '-not a formula', cost: '-0.01' },
  { name: 'quotes "and", commas\nand lines; tabs\t', code: "it's" },
  { name: 'large', pieces: '9007199254740993', weight: '12345678901234.567890' },
  {
    name: 'Ünïcödé 漢字 🚀',
    facts: { a: [1, 'two', null] },
    origin: { street: 'Main St 1', city: 'Lyon', country: 'FR' },
    tags: [],
  },
  { name: 'nothing else', fragile: false },
];
const COLUMNS = [
  'name',
  'code',
  'cost',
  'weight',
  'pieces',
  'fragile',
  'made_on',
  'seen_at',
  'kind',
  'tags',
  'origin.street',
  'origin.city',
  'origin.country',
  'facts',
];

describe.each(FORMAT_NAMES)('%s', (format) => {
  test('what is exported can be imported elsewhere and is the same, value by value', async () => {
    const from = as(`from-${format}`);
    for (const values of ODD) await from.create('stock.item', values);
    const into = as(`into-${format}`);
    const report = await imported(into, await exported(from, format, COLUMNS), { format });
    expect(report).toMatchObject({ rows: 6, created: 6, failed: 0, problems: [], ignored: [] });
    const read = async (records: Records) => {
      const { rows } = await records.list('stock.item', { sort: ['name'] });
      return rows.map(({ record: { id: _, created_at: __, updated_at: ___, ...rest } }) => rest);
    };
    const before = await read(from);
    expect(await read(into)).toEqual(before.map((row) => ({ ...row, tags: row.tags })));
  });

  test('a field one may not read is not in the file, nor by its name', async () => {
    await as('hidden').create('stock.item', { name: 'dear', cost: '77777.77' });
    const reader = as('hidden', 'reader');
    expect((await exported(reader, format)).includes('77777')).toBe(false);
    await expect(exported(reader, format, ['name', 'cost'])).rejects.toMatchObject({ code: 'FIELD_UNKNOWN' });
    await expect(imported(reader, 'name\nx', { format })).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });

  test('what is no such file is refused in words', async () => {
    const nonsense = format === 'csv' ? 'name,code\n"never closed' : 'this is not it';
    await expect(imported(as('nonsense'), nonsense, { format })).rejects.toMatchObject({
      code: 'FILE_INVALID',
      disposition: 'user',
    });
  });
});

test('rows that are refused are told with line and column; all others are stored', async () => {
  const lines = [
    'name;code;cost;kind;nonsense',
    'good;g1;1.00;raw;x',
    ';g2;1.00;raw;',
    'good too;g3;many;done;',
    'kind;g4;1;other;',
    'twice;g1;2;raw;',
    'last;g5;3.00;done;',
  ];
  const records = as('lines');
  const report = await imported(records, lines.join('\r\n'));
  expect(report).toMatchObject({ rows: 6, created: 2, failed: 4, ignored: ['nonsense'] });
  expect(report.problems).toMatchObject([
    { line: 3, column: 'name', code: 'VALUE_REQUIRED' },
    { line: 4, column: 'cost', code: 'VALUE_INVALID' },
    { line: 5, column: 'kind', code: 'VALUE_INVALID' },
    { line: 6, column: 'code', code: 'VALUE_TAKEN' },
  ]);
  const { rows } = await records.list('stock.item', { sort: ['name'] });
  expect(rows.map(({ record }) => record.name)).toEqual(['good', 'last']);
});

test('a dry run tells the same and keeps nothing', async () => {
  const records = as('dry');
  const file = 'name,code\none,1\n,2\nthree,3\n';
  const dry = await imported(records, file, { dryRun: true });
  expect(dry).toMatchObject({ rows: 3, created: 2, failed: 1, problems: [{ line: 3 }] });
  expect((await records.list('stock.item')).rows).toEqual([]);
  expect(await imported(records, file)).toEqual(dry);
});

test('with `match`, rows that are there are changed and others made, however often', async () => {
  const records = as('match');
  await imported(records, 'code,name,pieces\na,first,1\nb,second,2\n', { match: 'code' });
  const again = await imported(records, 'code,name,pieces\nb,second,20\nc,third,3\n', { match: 'code' });
  expect(again).toMatchObject({ created: 1, updated: 1, failed: 0 });
  const { rows } = await records.list('stock.item', { sort: ['code'] });
  expect(rows.map(({ record }) => [record.code, record.pieces])).toEqual([
    ['a', 1],
    ['b', 20],
    ['c', 3],
  ]);
  await expect(imported(records, 'name\nx', { match: 'pieces' })).rejects.toMatchObject({
    code: 'MATCH_INVALID',
  });
});

test('texts that a spreadsheet would run are guarded, and come back as they were', async () => {
  const records = as('formula');
  await records.create('stock.item', { name: "=cmd|' /C calc'!A0" });
  const text = (await exported(records, 'csv', ['name'])).toString();
  expect(text).toContain(`'=cmd`);
  const rows = [];
  for await (const row of readCsv(Readable.from([Buffer.from(text)]))) rows.push(row.cells.name);
  expect(rows).toEqual(["=cmd|' /C calc'!A0"]);
});

test('2,000 rows go out and in without being held in memory together', async () => {
  const records = as('many');
  const lines = async function* () {
    yield 'code,name\n';
    for (let n = 0; n < 2000; n += 1) yield `m${n},item ${n}\n`;
  };
  const progress: number[] = [];
  const report = await importRecords(records, item(), Readable.from(lines()), {
    format: 'csv',
    onProgress: ({ rows }) => progress.push(rows),
  });
  expect(report).toMatchObject({ rows: 2000, created: 2000, failed: 0 });
  expect(progress.length).toBeGreaterThan(10);
  const out = (await exported(records, 'csv', ['code'])).toString().trim().split('\n');
  expect(out.length).toBe(2001);
});
