import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StoredRecord } from '#kernel';
import { wantedColumns } from '../tables/index.ts';
import { imageText, SAMPLE_ROW, SAMPLE_TYPES } from '../types/testing/values.ts';
import { BatchEncoder } from './batch.ts';
import { compilePlan } from './plan.ts';
import { Rows } from './rows.ts';
import { column, tableSchema } from './testing/events.ts';

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const schema = tableSchema(
  'kinds',
  SAMPLE_TYPES.map(({ name, type }, index) => column(index + 2, name, type)),
);
const applied = {
  database: 'shop',
  table: 'kinds',
  stored: 'kinds',
  shards: 1,
  generation: 3,
  version: 1,
  columns: wantedColumns(schema),
  key: [1],
  comment: '',
};
const plan = compilePlan(schema, applied, schema);
const target = {
  plans: new Map([[1, plan]]),
  foreign: null,
  partition: 0,
  generation: 3,
  everyVersion: false,
};

function encode(value: string): string {
  const rows = new Rows(1024);
  const encoder = new BatchEncoder(rows);
  const record: StoredRecord = { key: Buffer.from('{"id":1}'), value: Buffer.from(value), offset: 0 };
  expect(encoder.run([record], target)).toEqual({ why: 'end' });
  expect(encoder.dead).toEqual([]);
  return rows.body([0]).toString('utf8');
}

const source = (lsn: number, tsUs: number): string =>
  `"source":{"connector":"postgresql","name":"shop","schema":"public","table":"kinds","ts_ms":${Math.floor(tsUs / 1000)},"ts_us":${tsUs},"txId":7,"snapshot":"false","gen":3,"sv":1,"lsn":${lsn}}`;

/** Numbers may be written otherwise where they mean the same. */
const canonical = (row: string): string[] =>
  row.split('\t').map((field, index) => {
    const kind = SAMPLE_TYPES[index - 1]?.type.kind;
    if (kind === 'float4' || kind === 'float8')
      return Object.is(Number(field), -0) ? '-0' : String(Number(field));
    return kind === 'numeric' ? field.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '') : field;
  });

test(`the fast reader and the general path write the same rows (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      SAMPLE_ROW,
      fc.integer({ min: 0, max: 2 ** 48 }),
      fc.integer({ min: 0, max: 4_000_000_000_000_000 }),
      (row, lsn, tsUs) => {
        const image = imageText(1, row);
        const native = `{"before":null,"after":${image},${source(lsn, tsUs)},"op":"c","ts_ms":1700000000123}`;
        const full = native.replace('"before":null', () => `"before":${image}`);
        expect(encode(full)).toBe(encode(native));
        // Another order of members: nothing for the fast reader.
        const foreign = `{"op":"c",${source(lsn, tsUs)},"after":${image},"before":null}`;
        expect(canonical(encode(native))).toEqual(canonical(encode(foreign)));
      },
    ),
    { seed, numRuns: 500 },
  );
});

test(`arbitrary bytes are refused or read, never thrown on (seed ${seed})`, () => {
  const good = `{"before":null,"after":{"id":1},${source(1, 1)},"op":"c","ts_ms":1700000000123}`;
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.string({ maxLength: 6, unit: 'binary' }), (at, noise) => {
      const value = Buffer.from(good.slice(0, at) + noise + good.slice(at + noise.length));
      const encoder = new BatchEncoder(new Rows(1024));
      encoder.run([{ key: null, value, offset: 0 }], target);
      return true;
    }),
    { seed, numRuns: 2000 },
  );
});
