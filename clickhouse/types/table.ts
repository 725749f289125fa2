import type { ColumnType, ScalarType } from '#kernel';
import { warehouseType } from './map.ts';

const scalar = (kind: ScalarType['kind'], extra: Partial<ScalarType> = {}): ScalarType => ({
  kind,
  sourceType: kind,
  ...extra,
});

/** One row a type: what it is at the source, a type to map, what to know. */
const ROWS: readonly (readonly [string, ColumnType, string])[] = [
  ['boolean', scalar('bool'), ''],
  ['smallint', scalar('int2'), ''],
  ['integer', scalar('int4'), ''],
  ['bigint', scalar('int8'), 'every digit kept'],
  ['real', scalar('float4'), 'NaN and infinities kept'],
  ['double precision', scalar('float8'), 'NaN and infinities kept'],
  [
    'numeric(p,s), p <= 76, 0 <= s <= p',
    scalar('numeric', { precision: 12, scale: 2 }),
    'NaN: NULL, text in `_raw`',
  ],
  [
    'numeric without precision',
    scalar('numeric'),
    'NaN, infinities, more than 38 digits before or after the point: NULL, text in `_raw`',
  ],
  ['numeric of another shape', scalar('numeric', { precision: 100, scale: 2 }), "the source's text"],
  ['text, varchar, char', scalar('text'), ''],
  ['bytea', scalar('bytes'), 'the bytes themselves'],
  ['date', scalar('date'), 'before 1900 or after 2299, infinity: nearest end, text in `_raw`'],
  ['timestamp', scalar('timestamp'), 'as date'],
  ['timestamptz', scalar('timestamptz'), 'as date; UTC'],
  ['time', scalar('time'), "the source's text; 24:00:00 stays what it is"],
  ['timetz', scalar('timetz'), "the source's text, offset included"],
  [
    'interval',
    scalar('interval'),
    "the source's text (IntervalStyle postgres): months and days are no fixed time",
  ],
  ['uuid', scalar('uuid'), ''],
  ['json, jsonb', scalar('json'), 'the text; read it with the JSON functions'],
  ['enum', scalar('enum'), 'the label; new labels need no change'],
  [
    'array of T',
    { kind: 'array', element: scalar('int8'), sourceType: 'bigint[]' },
    'NULL, several dimensions, lower bound other than 1, an odd element: [], text in `_raw` (NULL: `NULL`)',
  ],
  ['ranges, geometric, network, bit, other', scalar('other'), "the source's text"],
];

/** The type map as a Markdown table: docs/types.md holds it, types/table.test.ts keeps the two together. */
export function typeTable(): string {
  const lines = ROWS.map(
    ([source, type, note]) =>
      `| ${source} | \`${warehouseType(type, false)}\` | \`${warehouseType(type, true)}\` | ${note} |`,
  );
  return [
    '| source | ClickHouse, NOT NULL | ClickHouse, nullable | to know |',
    '| --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}
