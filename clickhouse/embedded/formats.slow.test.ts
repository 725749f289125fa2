import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';

/** Every format that is both read and written, out of one table and into another, small and large. */

let engine: TestClickHouse;
let client: ClickHouseClient;

beforeAll(async () => {
  engine = await testClickHouse();
  const log = { level: ClickHouseLogLevel.OFF };
  client = createClient({ url: engine.url, username: engine.user, password: engine.password, log });
  for (const name of ['small', 'large', 'copy']) {
    const columns = 'n UInt64, s String, d Float64, a Array(String), maybe Nullable(Int32)';
    await client.command({ query: `CREATE TABLE ${name} (${columns}) ENGINE = MergeTree ORDER BY n` });
  }
  const rows = `SELECT number, concat('é "quoted", \\'and\\' ', char(9), char(10), '\\\\', toString(number)),
    number / 3, ['x', '', toString(number)], if(number % 3 = 0, NULL, number)`;
  await client.command({ query: `INSERT INTO small ${rows} FROM numbers(3)` });
  await client.command({ query: `INSERT INTO large ${rows} FROM numbers(12000)` });
});

afterAll(async () => {
  await client.close();
  await engine[Symbol.asyncDispose]();
});

/** What these formats cannot carry of the table, or need beyond it. */
const OTHER_SHAPES: Readonly<Record<string, string>> = {
  AvroConfluent: 'needs a schema registry',
  GeoJSON: 'geometry only',
  CapnProto: 'needs a schema file',
  Protobuf: 'needs a schema file',
  ProtobufList: 'needs a schema file',
  ProtobufSingle: 'needs a schema file',
  Template: 'needs a template file',
  CustomSeparated: 'leaves line ends within fields unescaped by default',
  CustomSeparatedWithNames: 'as CustomSeparated',
  CustomSeparatedWithNamesAndTypes: 'as CustomSeparated',
  CustomSeparatedIgnoreSpaces: 'as CustomSeparated',
  CustomSeparatedIgnoreSpacesWithNames: 'as CustomSeparated',
  CustomSeparatedIgnoreSpacesWithNamesAndTypes: 'as CustomSeparated',
  LineAsString: 'one column only',
  LineAsStringWithNames: 'one column only',
  LineAsStringWithNamesAndTypes: 'one column only',
  RawBLOB: 'one column only',
  Npy: 'one number column only',
  Null: 'carries nothing',
  One: 'carries nothing',
  TSVRaw: 'does not escape tabs',
  TSVRawWithNames: 'does not escape tabs',
  TSVRawWithNamesAndTypes: 'does not escape tabs',
  Raw: 'does not escape tabs',
  RawWithNames: 'does not escape tabs',
  RawWithNamesAndTypes: 'does not escape tabs',
  TabSeparatedRaw: 'does not escape tabs',
  TabSeparatedRawWithNames: 'does not escape tabs',
  TabSeparatedRawWithNamesAndTypes: 'does not escape tabs',
};

const read = async (query: string): Promise<Buffer> => buffer((await client.exec({ query })).stream);
const write = async (query: string, body: Buffer): Promise<void> => {
  const { stream } = await client.exec({ query, values: Readable.from([body], { objectMode: false }) });
  await buffer(stream);
};
const sum = async (table: string): Promise<string> =>
  (
    await read(`SELECT count(), sum(cityHash64(n, s, d, a, ifNull(maybe, -1))) FROM ${table} FORMAT CSV`)
  ).toString();

test('every two-way format round-trips, whole and streamed', async () => {
  const listed = await read(
    'SELECT name FROM system.formats WHERE is_input AND is_output ORDER BY name FORMAT TSV',
  );
  const formats = listed.toString().trim().split('\n');
  const failed: string[] = [];
  let passed = 0;
  for (const format of formats) {
    if (format in OTHER_SHAPES) continue;
    for (const table of ['small', 'large']) {
      await client.command({ query: 'TRUNCATE TABLE copy' });
      try {
        const body = await read(`SELECT * FROM ${table} ORDER BY n FORMAT ${format}`);
        await write(`INSERT INTO copy FORMAT ${format}`, body);
        if ((await sum('copy')) !== (await sum(table))) failed.push(`${format} ${table}: differs`);
        else passed += 1;
        await client.command({ query: 'TRUNCATE TABLE copy' });
        const structure = 'n UInt64, s String, d Float64, a Array(String), maybe Nullable(Int32)';
        await write(`INSERT INTO copy SELECT * FROM input('${structure}') FORMAT ${format}`, body);
        if ((await sum('copy')) !== (await sum(table)))
          failed.push(`${format} ${table}: differs through input()`);
      } catch (error) {
        failed.push(`${format} ${table}: ${(error as Error).message.slice(0, 200)}`);
      }
    }
  }
  expect(failed).toEqual([]);
  expect(passed).toBeGreaterThan(60);
}, 180_000);

test('formats of one column', async () => {
  await client.command({ query: 'CREATE TABLE one (s String) ENGINE = Memory' });
  const body = Buffer.from([0, 1, 2, 10, 255, 9]);
  await write('INSERT INTO one FORMAT RawBLOB', body);
  expect(await read('SELECT s FROM one FORMAT RawBLOB')).toEqual(body);
  await client.command({ query: 'TRUNCATE TABLE one' });
  await write('INSERT INTO one FORMAT LineAsString', Buffer.from('a\tb\nc\n'));
  expect((await read('SELECT s FROM one FORMAT JSONCompactColumns')).toString()).toContain('a\\tb');
});

test('output formats that are written only are whole documents however large', async () => {
  const json = JSON.parse((await read('SELECT n FROM large FORMAT JSON')).toString());
  expect([json.rows, json.data.length, json.meta.length]).toEqual([12_000, 12_000, 1]);
  const csv = (await read('SELECT n FROM large ORDER BY n FORMAT CSVWithNames')).toString().split('\n');
  expect([csv[0], csv.length, csv.filter((line) => line === '"n"').length]).toEqual(['"n"', 12_002, 1]);
  const xml = (await read('SELECT n FROM large FORMAT XML')).toString();
  expect(xml.match(/<\?xml/g)?.length).toBe(1);
  const totals = (
    await read('SELECT n % 2 AS k, count() FROM large GROUP BY k WITH TOTALS ORDER BY k FORMAT TSV')
  ).toString();
  expect(totals).toBe('0\t6000\n1\t6000\n\n0\t12000\n');
});
