import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestClickHouse, testClickHouse } from '#tests/clickhouse';
import { column, tableSchema } from '../sink/testing/events.ts';
import { encodeValue, escapeField } from '../types/index.ts';
import { SAMPLE_TYPES } from '../types/testing/values.ts';
import {
  type AppliedTable,
  createDatabase,
  createTable,
  Sharder,
  shardingKey,
  wantedColumns,
} from './index.ts';
import { xxHash32 } from './shards.ts';

let clickhouse: TestClickHouse;
beforeAll(async () => {
  clickhouse = await testClickHouse();
  await clickhouse.warehouse.command(createDatabase('shop'));
});
afterAll(() => clickhouse[Symbol.asyncDispose]());

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const SHARDS = 7;

test('xxHash32 of any length is what ClickHouse computes', async () => {
  const texts = fc.sample(fc.uint8Array({ maxLength: 80 }), { numRuns: 300, seed });
  const list = texts.map((bytes) => `unhex('${Buffer.from(bytes).toString('hex')}')`).join(', ');
  const rows = await clickhouse.warehouse.query<{ h: number }>(`SELECT xxHash32(arrayJoin([${list}])) AS h`);
  expect(rows.map(({ h }) => h)).toEqual(texts.map((bytes) => xxHash32(Buffer.from(bytes))));
});

test(`the hub and ClickHouse find the same shard for a key of every type, odd ones included (seed ${seed})`, async () => {
  const { warehouse } = clickhouse;
  for (const nullable of [true, false]) {
    const schema = tableSchema(
      nullable ? 'kinds_null' : 'kinds',
      SAMPLE_TYPES.map(({ name, type }, index) => column(index + 2, name, type, { nullable })),
    );
    await warehouse.command(createTable(schema, 1));
    const samples = SAMPLE_TYPES.map(({ value }) => fc.sample(value, { numRuns: 200, seed }));
    // As the sink writes an event, and as a snapshot's COPY text has it: the two differ.
    const lines = samples[0]!.map((_, id) => {
      const streamed = SAMPLE_TYPES.map(({ type }, index) => {
        const { event, literal } = samples[index]![id]!;
        const given = event === null || literal === undefined ? event : literal;
        return Buffer.from(encodeValue(type, nullable, given).field);
      });
      const fields = streamed.flatMap((field) => [Buffer.from('\t'), field]);
      return Buffer.concat([Buffer.from(String(id)), ...fields, Buffer.from('\n')]);
    });
    const body = Buffer.concat(lines);
    const names = ['id', ...SAMPLE_TYPES.map(({ name }) => name)].map((name) => `\`${name}\``).join(', ');
    await warehouse.insert(`INSERT INTO shop.${schema.table} (${names})`, 'TabSeparated', body, {
      settings: {
        date_time_input_format: 'basic',
        input_format_null_as_default: 1,
        precise_float_parsing: 1,
      },
    });
    const columns = wantedColumns(schema);
    for (const [index, { name, type }] of SAMPLE_TYPES.entries()) {
      const applied: AppliedTable = {
        database: 'shop',
        table: schema.table,
        stored: schema.table,
        shards: SHARDS,
        generation: 1,
        version: 1,
        columns,
        key: [1, index + 2],
        comment: '',
      };
      const rows = await warehouse.query<{ id: number; shard: number }>(
        `SELECT id, ${shardingKey(applied)} AS shard FROM shop.${schema.table} ORDER BY id`,
      );
      const sharder = new Sharder(applied);
      let start = 0;
      for (const row of rows) {
        const end = body.indexOf(10, start);
        expect([name, row.id, sharder.of(body, start, end)]).toEqual([name, row.id, row.shard]);
        // The snapshot's text of the same value goes the same way.
        if (type.kind !== 'array' && type.kind !== 'bytes') {
          const copy = samples[index]![row.id]!.copy;
          const field = copy === null ? (nullable ? '\\N' : '0') : escapeField(copy);
          const line = Buffer.from(`${row.id}\t${field}\n`);
          const copied = new Sharder(applied, [1, index + 2]).of(line, 0, line.length - 1);
          expect([name, row.id, copied]).toEqual([name, row.id, row.shard]);
        }
        start = end + 1;
      }
      expect(rows.length).toBe(200);
      expect(new Set(rows.map(({ shard }) => shard)).size, name).toBe(SHARDS);
    }
  }
}, 60_000);
