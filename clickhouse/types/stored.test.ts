import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chIdent } from '#kernel';
import { column, tableSchema } from '../sink/testing/events.ts';
import { testWorld, type World } from '../sink/testing/world.ts';
import { rawField } from './index.ts';
import { imageText, SAMPLE_ROW, SAMPLE_TYPES, type Sample } from './testing/values.ts';

let world: World;
beforeAll(async () => {
  world = await testWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const columns = SAMPLE_TYPES.map(({ name, type }, index) => column(index + 2, name, type));

const shown = SAMPLE_TYPES.map(({ name, type }) => {
  const at = chIdent(name);
  const isBytes = type.kind === 'bytes' || (type.kind === 'array' && type.element.kind === 'bytes');
  if (!isBytes) return at;
  return type.kind === 'array'
    ? `arrayMap(x -> lower(hex(x)), ${at}) AS ${at}`
    : `lower(hex(${at})) AS ${at}`;
});
const SELECT = ['id', ...shown, '_raw'].join(', ');
const SETTINGS = `SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_decimals = 1,
  output_format_json_quote_denormals = 1, prefer_column_name_to_alias = 1`;

const expected = (id: number, row: readonly Sample[]): Record<string, unknown> => ({
  id,
  ...Object.fromEntries(SAMPLE_TYPES.map(({ name }, index) => [name, row[index]!.stored])),
  _raw: rawOf(row),
});
const rawOf = (row: readonly Sample[]): Record<string, string> =>
  Object.fromEntries(
    SAMPLE_TYPES.flatMap(({ name }, index) =>
      row[index]!.raw === undefined ? [] : [[name, row[index]!.raw]],
    ),
  );

const normal = (row: Record<string, unknown>): Record<string, unknown> => ({
  ...row,
  float4: typeof row.float4 === 'number' ? Math.fround(row.float4) : row.float4,
  _raw: Object.fromEntries(Object.entries(row._raw as object).sort()),
});

const copyEscape = (text: string): string =>
  text.replace(
    /[\\\b\f\n\r\t\v]/g,
    (char) =>
      ({ '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v' })[
        char
      ] ?? char,
  );

test(`every value of every type comes back as it was, through events and snapshots (seed ${seed})`, async () => {
  const rows = fc.sample(SAMPLE_ROW, { numRuns: 400, seed });
  const bySnapshot = tableSchema('kinds_copied', columns);
  const lines = rows.map((row, id) => {
    const fields = row.map(({ copy }) => (copy === null ? '\\N' : copyEscape(copy)));
    // The source adds no entry for NULL arrays: \N says it.
    const raw = new Map(Object.entries(rawOf(row)).filter(([, text]) => text !== 'NULL'));
    return `${[id, ...fields, rawField(raw)].join('\t')}\n`;
  });
  await world.register(bySnapshot, { rows: lines.join('') });

  const byEvents = tableSchema('kinds_streamed', columns);
  await world.register(byEvents);
  const sink = world.sink();
  await sink.start();
  const head = '"connector":"postgresql","name":"shop","schema":"public","table":"kinds_streamed"';
  const records = rows.map((row, id) => ({
    key: Buffer.from(`{"id":${id}}`),
    value: Buffer.from(
      `{"before":null,"after":${imageText(id, row)},"source":{${head},"ts_ms":1700000000123,"ts_us":1700000000123456,"txId":7,"snapshot":"false","gen":1,"sv":1,"lsn":${id + 1}},"op":"c","ts_ms":1700000000123}`,
    ),
  }));
  await world.append(byEvents, records);
  await world.drained();
  const letters = await world.pool.query(
    'SELECT error, convert_from(value, $$UTF8$$) AS value FROM bac.dead_letters',
  );
  expect(letters.rows).toEqual([]);

  for (const table of [byEvents.table, bySnapshot.table]) {
    const found = await world.warehouse.query<Record<string, unknown>>(
      `SELECT ${SELECT} FROM shop.${table} FINAL ORDER BY id ${SETTINGS}`,
    );
    expect(found.length).toBe(rows.length);
    for (const [id, row] of rows.entries())
      expect(normal(found[id]!), table).toEqual(normal(expected(id, row)));
  }
  await sink.stop();
});
