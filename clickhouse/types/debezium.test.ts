import { expect, test } from 'vitest';
import type { ScalarKind, ScalarType } from '#kernel';
import { debeziumScalar } from './debezium.ts';

const type = (kind: ScalarKind, sourceType: string = kind, extra: Partial<ScalarType> = {}): ScalarType => ({
  kind,
  sourceType,
  ...extra,
});
const timestamp = (precision?: number) =>
  type('timestamp', `timestamp${precision === undefined ? '' : `(${precision})`} without time zone`);
const moment = '2024-02-29 12:00:00.123';

test.each<readonly [string, ScalarType, unknown, string | null]>([
  ['adaptive, milliseconds', timestamp(3), 1_709_208_000_123, moment],
  ['adaptive, microseconds', timestamp(), 1_709_208_000_123_000, moment],
  ['a last day, in milliseconds', timestamp(3), '253402214400000', '9999-12-31 00:00:00'],
  ['a last day, in microseconds', timestamp(), '253402214400000000', '9999-12-31 00:00:00'],
  ['isostring', timestamp(), '2024-02-29T12:00:00.123Z', '2024-02-29T12:00:00.123Z'],
  ['before 1970', timestamp(3), -1, '1969-12-31 23:59:59.999'],
  ['infinity', timestamp(), '9223372036825200000', 'infinity'],
  ['-infinity in milliseconds', timestamp(3), '-9223372036832400', '-infinity'],
  ['infinity as the highest number', timestamp(), '9223372036854775807', 'infinity'],
  ['-infinity as the lowest number', timestamp(), '-9223372036854775808', '-infinity'],
  ['BC', timestamp(), '-63517780800000000', '0044-03-15 12:00:00 BC'],
  ['days', type('date'), 19_782, '2024-02-29'],
  ['infinite day', type('date'), -2_147_472_692, 'infinity'],
  ['infinite day of later versions', type('date'), 2_146_033_979, 'infinity'],
  ['time in milliseconds', type('time', 'time(3) without time zone'), 36_000_123, '10:00:00.123'],
  ['time in microseconds', type('time'), 86_400_000_000, '24:00:00'],
  ['isostring', type('time'), '10:00:00.5Z', '10:00:00.5'],
  ['zoned', type('timestamptz'), '2024-02-29T12:00:00.5+02:00', '2024-02-29 10:00:00.5+00'],
  ['zoned in UTC', type('timestamptz'), '2024-02-29T12:00:00.120Z', '2024-02-29 12:00:00.12+00'],
  [
    'zoned, a year counted with 0',
    type('timestamptz'),
    '-0043-03-15T12:00:00.000000Z',
    '0044-03-15 12:00:00+00 BC',
  ],
  ['zoned, a long year', type('timestamptz'), '+12345-01-01T00:00:00.000000Z', '12345-01-01 00:00:00+00'],
  ['zoned infinity', type('timestamptz'), 'infinity', 'infinity'],
  ['timetz', type('timetz'), '08:00:00Z', '08:00:00+00'],
  ['interval', type('interval'), 'P1Y2M-3DT4H5M6.7S', '1 year 2 mons -3 days +04:05:06.7'],
  ['interval, nothing', type('interval'), 'P0Y0M0DT0H0M0S', '00:00:00'],
  ['interval, negative', type('interval'), 'P-1Y0M2DT0H0M-1.5S', '-1 years +2 days -00:00:01.5'],
  ['interval in microseconds', type('interval'), '-1500000', '-00:00:01.5'],
  ['decimal as string', type('numeric'), '1.50', '1.50'],
  ['decimal, not a number', type('numeric'), 'NAN', 'NaN'],
  ['decimal, infinity', type('numeric'), 'NEGATIVE_INFINITY', '-Infinity'],
  ['decimal of negative scale', type('numeric', 'numeric', { precision: 3, scale: -2 }), '1200.000', '1200'],
  ['decimal as double', type('numeric', 'numeric', { precision: 5, scale: 2 }), 5.25, '5.25'],
  ['a float of minus nothing', type('float8'), -0, '-0'],
  ['precise decimal', type('numeric', 'numeric', { precision: 10, scale: 2 }), 'AfQ=', '5.00'],
  ['precise decimal of its own scale', type('numeric'), { scale: 3, value: 'MDk=' }, '12.345'],
  ['bits', type('other', 'bit(5)'), 'Fg==', '10110'],
  ['one bit', type('other', 'bit(1)'), true, '1'],
  ['hstore as JSON', type('other', 'public.hstore'), '{"b c":null,"a":"1"}', '"a"=>"1", "b c"=>NULL'],
  ['hstore as a map', type('other', 'hstore'), { a: 'q"' }, '"a"=>"q\\""'],
  ['point', type('other', 'point'), { x: 1.5, y: 1e20, wkb: 'AQ==' }, '(1.5,1e+20)'],
  ['a type sent as bytes of its text', type('other', 'pg_lsn'), 'MTYvQjM3NEQ4NDg=', '16/B374D848'],
  ['geometry', type('other', 'circle'), 'PCgxLjAsMi4wKSwzLjA+', '<(1,2),3>'],
  [
    'circle as a structure',
    type('other', 'circle'),
    { center: { x: '1.0', y: 2 }, radius: '3.0' },
    '<(1,2),3>',
  ],
  ['line as a structure', type('other', 'line'), { a: 1, b: '2.5', c: 1e20 }, '{1,2.5,1e+20}'],
  [
    'lseg as a structure',
    type('other', 'lseg'),
    { wkb: 'AQIAAAACAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAAAAEEA=' },
    '[(1,2),(3,4)]',
  ],
  [
    'open path as a structure',
    type('other', 'path'),
    {
      wkb: 'AQIAAAACAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAAAAEEA=',
      extensions: { type: 'path', closed: 'false' },
    },
    '[(1,2),(3,4)]',
  ],
  [
    'closed path as a structure',
    type('other', 'path'),
    {
      wkb: 'AQIAAAACAAAAAAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhAAAAAAAAAEEA=',
      extensions: { type: 'path', closed: 'true' },
    },
    '((1,2),(3,4))',
  ],
  [
    'polygon as a structure',
    type('other', 'polygon'),
    {
      wkb: 'AQMAAAABAAAABAAAAAAAAAAAAPA/AAAAAAAAAEAAAAAAAAAIQAAAAAAAABBAAAAAAAAAFEAAAAAAAAAYQAAAAAAAAPA/AAAAAAAAAEA=',
    },
    '((1,2),(3,4),(5,6))',
  ],
  [
    'box as a structure',
    type('other', 'box'),
    {
      wkb: 'AQMAAAABAAAABQAAAAAAAAAAAAhAAAAAAAAAEEAAAAAAAAAIQAAAAAAAAARAAAAAAAAA8D8AAAAAAAAEQAAAAAAAAPA/AAAAAAAAEEAAAAAAAAAIQAAAAAAAABBA',
    },
    '(3,4),(1,2.5)',
  ],
  ['a type sent as its text', type('other', 'inet'), '10.0.0.1', '10.0.0.1'],
  ['a number', type('other', 'oid'), 4_294_967_295, '4294967295'],
])('%s', (_, column, value, expected) => {
  expect(debeziumScalar(column, value as never, true)).toBe(expected);
});
