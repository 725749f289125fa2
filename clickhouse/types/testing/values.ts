import fc from 'fast-check';
import type { ColumnType, ScalarType } from '#kernel';

/** One value in the three forms it takes on its way, and what ClickHouse must answer. */
export interface Sample {
  /** JSON in a native event. */
  readonly event: string | number | boolean | null;
  /** Numbers beyond a double: their JSON text. */
  readonly literal?: string;
  /** Field of the snapshot's COPY text, unescaped; null = NULL. */
  readonly copy: string | null;
  /** As JSONEachRow shows it (64-bit integers and decimals as strings). */
  readonly stored: unknown;
  readonly raw?: string;
}

export interface SampleType {
  readonly name: string;
  readonly type: ColumnType;
  readonly value: fc.Arbitrary<Sample>;
}

const scalar = (kind: ScalarType['kind'], extra: Partial<ScalarType> = {}): ScalarType => ({
  kind,
  sourceType: kind,
  ...extra,
});
const arrayOf = (element: ScalarType): ColumnType => ({
  kind: 'array',
  element,
  sourceType: `${element.sourceType}[]`,
});

const integer = (bits: bigint): fc.Arbitrary<Sample> =>
  fc.bigInt({ min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n }).map((value) => ({
    event: 0,
    literal: value.toString(),
    copy: value.toString(),
    stored: bits === 64n ? value.toString() : Number(value),
  }));

/** PostgreSQL's text has no NUL; lone surrogates cannot be UTF-8. */
const text = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((value) => value.replaceAll('\0', '').replace(/\p{Surrogate}/gu, ''));
const textSample = text.map((value): Sample => ({ event: value, copy: value, stored: value }));

const float = (double: boolean): fc.Arbitrary<Sample> =>
  (double ? fc.double() : fc.float()).map((value) => {
    if (Number.isFinite(value)) {
      const shown = Object.is(value, -0) ? '-0' : String(value);
      return { event: value, literal: shown, copy: shown, stored: value };
    }
    const shown = String(value);
    const stored = Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
    return { event: shown, copy: shown, stored };
  });

const decimal = (precision: number, scale: number): fc.Arbitrary<Sample> =>
  fc.bigInt({ min: -(10n ** BigInt(precision) - 1n), max: 10n ** BigInt(precision) - 1n }).map((unscaled) => {
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
    const whole = scale === 0 ? digits : digits.slice(0, -scale);
    const fraction = scale === 0 ? '' : digits.slice(-scale);
    const sign = unscaled < 0n ? '-' : '';
    const shown = `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
    const kept = fraction.replace(/0+$/, '');
    return { event: shown, copy: shown, stored: `${sign}${whole}${kept === '' ? '' : `.${kept}`}` };
  });

const oddNumber = fc
  .constantFrom('NaN', 'Infinity', '-Infinity')
  .map((value): Sample => ({ event: value, copy: null, stored: null, raw: value }));

const day = fc.date({
  min: new Date('1900-01-01T00:00:00Z'),
  max: new Date('2299-12-31T23:59:59Z'),
  noInvalidDate: true,
});
const date = day.map((value): Sample => {
  const shown = value.toISOString().slice(0, 10);
  return { event: shown, copy: shown, stored: shown };
});
const oddDate = fc
  .constantFrom(
    ['infinity', '2299-12-31'],
    ['-infinity', '1900-01-01'],
    ['0044-03-15 BC', '1900-01-01'],
    ['1899-12-31', '1900-01-01'],
    ['2300-01-01', '2299-12-31'],
    ['12345-01-01', '2299-12-31'],
  )
  .map(([value = '', stored = '']): Sample => ({ event: value, copy: stored, stored, raw: value }));

const moment = (suffix: string): fc.Arbitrary<Sample> =>
  fc.tuple(day, fc.integer({ min: 0, max: 999_999 })).map(([value, micros]) => {
    const base = value.toISOString().slice(0, 19).replace('T', ' ');
    const fraction = micros === 0 ? '' : `.${micros.toString().padStart(6, '0').replace(/0+$/, '')}`;
    return {
      event: `${base}${fraction}${suffix}`,
      copy: `${base}${fraction}`,
      stored: `${base}.${micros.toString().padStart(6, '0')}`,
    };
  });
const oddMoment = (suffix: string): fc.Arbitrary<Sample> =>
  fc
    .constantFrom(
      ['infinity', '2299-12-31 23:59:59.999999'],
      ['-infinity', '1900-01-01 00:00:00'],
      [`0044-03-15 12:00:00${suffix} BC`, '1900-01-01 00:00:00'],
      [`1899-12-31 23:59:59.999999${suffix}`, '1900-01-01 00:00:00'],
      [`2300-01-01 00:00:00${suffix}`, '2299-12-31 23:59:59.999999'],
    )
    .map(
      ([value = '', stored = '']): Sample => ({
        event: value,
        copy: stored,
        stored: stored.includes('.') ? stored : `${stored}.000000`,
        raw: value,
      }),
    );

const bytes = fc.uint8Array({ maxLength: 30 }).map((value): Sample => {
  const buffer = Buffer.from(value);
  return { event: buffer.toString('base64'), copy: buffer.toString('hex'), stored: buffer.toString('hex') };
});

/** PostgreSQL's array_out: quotes where needed. */
const arrayText = (items: readonly (string | null)[]): string =>
  `{${items
    .map((item) => {
      if (item === null) return 'NULL';
      const bare = /^[A-Za-z0-9_.:+-]+$/.test(item) && item.toUpperCase() !== 'NULL';
      return bare ? item : `"${item.replace(/["\\]/g, '\\$&')}"`;
    })
    .join(',')}}`;

const textArray = fc.array(fc.option(text), { maxLength: 5 }).map(
  (items): Sample => ({
    event: arrayText(items),
    copy: JSON.stringify(items),
    stored: items,
  }),
);
const intArray = fc
  .array(fc.option(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })), { maxLength: 5 })
  .map(
    (items): Sample => ({
      event: arrayText(items.map((item) => item?.toString() ?? null)),
      copy: `[${items.map((item) => item?.toString() ?? 'null').join(',')}]`,
      stored: items.map((item) => item?.toString() ?? null),
    }),
  );
const decimalArray = fc.array(fc.option(decimal(30, 10)), { maxLength: 4 }).map(
  (items): Sample => ({
    event: arrayText(items.map((item) => (item === null ? null : String(item.event)))),
    copy: `[${items.map((item) => (item === null ? 'null' : String(item.event))).join(',')}]`,
    stored: items.map((item) => item?.stored ?? null),
  }),
);
const momentArray = fc.array(fc.option(moment('+00')), { maxLength: 3 }).map(
  (items): Sample => ({
    event: arrayText(items.map((item) => (item === null ? null : String(item.event)))),
    copy: JSON.stringify(
      items.map((item) => (item === null ? null : `${String(item.copy).replace(' ', 'T')}+00:00`)),
    ),
    stored: items.map((item) => item?.stored ?? null),
  }),
);
const bytesArray = fc.array(fc.option(fc.uint8Array({ maxLength: 8 })), { maxLength: 3 }).map(
  (items): Sample => ({
    event: arrayText(items.map((item) => (item === null ? null : `\\x${Buffer.from(item).toString('hex')}`))),
    copy: JSON.stringify(
      items.map((item) => (item === null ? null : `\\x${Buffer.from(item).toString('hex')}`)),
    ),
    stored: items.map((item) => (item === null ? null : Buffer.from(item).toString('hex'))),
  }),
);
const boolArray = fc.array(fc.option(fc.boolean()), { maxLength: 4 }).map(
  (items): Sample => ({
    event: arrayText(items.map((item) => (item === null ? null : item ? 't' : 'f'))),
    copy: JSON.stringify(items),
    stored: items,
  }),
);
const json = fc.json({ maxDepth: 2 }).map((value): Sample => {
  const clean = value.replaceAll('\\u0000', '');
  return { event: clean, copy: clean, stored: clean };
});
const jsonArray = fc
  .array(fc.option(fc.oneof(json, fc.constantFrom('null', '{"a":  1}', ' [ 1 ] '))), { maxLength: 4 })
  .map(
    (items): Sample => ({
      event: arrayText(
        items.map((item) => (item === null ? null : typeof item === 'string' ? item : String(item.event))),
      ),
      copy: JSON.stringify(
        items.map((item) => (item === null || typeof item === 'string' ? item : item.event)),
      ),
      stored: items.map((item) => (item === null || typeof item === 'string' ? item : item.stored)),
    }),
  );
const oddArray = fc
  .constantFrom('{{1,2},{3,4}}', '[0:1]={1,2}')
  .map((value): Sample => ({ event: value, copy: '[]', stored: [], raw: value }));

const constant = (...values: string[]): fc.Arbitrary<Sample> =>
  fc.constantFrom(...values).map((value) => ({ event: value, copy: value, stored: value }));

const boolean = fc
  .boolean()
  .map((value): Sample => ({ event: value, copy: value ? 't' : 'f', stored: value }));
const uuid = fc.uuid().map((value): Sample => ({ event: value, copy: value, stored: value }));
/** Every kind of kernel/tables.ts with values for it, the odd ones included. */
export const SAMPLE_TYPES: readonly SampleType[] = [
  { name: 'bool', type: scalar('bool'), value: boolean },
  { name: 'int2', type: scalar('int2'), value: integer(16n) },
  { name: 'int4', type: scalar('int4'), value: integer(32n) },
  { name: 'int8', type: scalar('int8'), value: integer(64n) },
  { name: 'float4', type: scalar('float4'), value: float(false) },
  { name: 'float8', type: scalar('float8'), value: float(true) },
  {
    name: 'money',
    type: scalar('numeric', { precision: 12, scale: 2 }),
    value: fc.oneof(decimal(12, 2), oddNumber),
  },
  { name: 'ratio', type: scalar('numeric', { precision: 4, scale: 4 }), value: decimal(4, 4) },
  { name: 'huge', type: scalar('numeric', { precision: 76, scale: 0 }), value: decimal(76, 0) },
  { name: 'free', type: scalar('numeric'), value: fc.oneof(decimal(76, 38), oddNumber) },
  {
    name: 'wide',
    type: scalar('numeric', { precision: 100, scale: 2 }),
    value: constant('NaN', '123.45', '-0.01'),
  },
  { name: 'tens', type: scalar('numeric', { precision: 3, scale: -2 }), value: constant('1200', '-500') },
  { name: 'text', type: scalar('text'), value: textSample },
  { name: 'bytes', type: scalar('bytes'), value: bytes },
  { name: 'date', type: scalar('date'), value: fc.oneof(date, oddDate) },
  { name: 'ts', type: scalar('timestamp'), value: fc.oneof(moment(''), oddMoment('')) },
  { name: 'tstz', type: scalar('timestamptz'), value: fc.oneof(moment('+00'), oddMoment('+00')) },
  { name: 'time', type: scalar('time'), value: constant('00:00:00', '24:00:00', '23:59:59.999999') },
  { name: 'timetz', type: scalar('timetz'), value: constant('10:00:00+02', '10:00:00.5-03:30') },
  {
    name: 'interval',
    type: scalar('interval'),
    value: constant('1 year 2 mons -3 days +04:05:06.7', '00:00:00'),
  },
  { name: 'uuid', type: scalar('uuid'), value: uuid },
  { name: 'json', type: scalar('json'), value: json },
  { name: 'enum', type: scalar('enum'), value: constant('new', "it's", 'a\\b') },
  {
    name: 'other',
    type: scalar('other', { sourceType: 'int4range' }),
    value: constant('[1,5)', 'empty', '(1,2)'),
  },
  { name: 'texts', type: arrayOf(scalar('text')), value: textArray },
  {
    name: 'ints',
    type: arrayOf(scalar('int8')),
    value: fc.oneof({ weight: 4, arbitrary: intArray }, oddArray),
  },
  { name: 'bools', type: arrayOf(scalar('bool')), value: boolArray },
  { name: 'decimals', type: arrayOf(scalar('numeric', { precision: 30, scale: 10 })), value: decimalArray },
  { name: 'moments', type: arrayOf(scalar('timestamptz')), value: momentArray },
  { name: 'blobs', type: arrayOf(scalar('bytes')), value: bytesArray },
  { name: 'jsons', type: arrayOf(scalar('json')), value: jsonArray },
];

/** A row: a sample or NULL for each type. */
export const SAMPLE_ROW: fc.Arbitrary<readonly Sample[]> = fc.tuple(
  ...SAMPLE_TYPES.map(({ type, value }) => {
    const none: Sample =
      type.kind === 'array'
        ? { event: null, copy: null, stored: [], raw: 'NULL' }
        : { event: null, copy: null, stored: null };
    return fc.oneof({ weight: 6, arbitrary: value }, fc.constant(none));
  }),
);

/** JSON of a row image. */
export function imageText(id: number, row: readonly Sample[]): string {
  const members = SAMPLE_TYPES.map(({ name }, index) => {
    const sample = row[index]!;
    return `${JSON.stringify(name)}:${sample.literal ?? JSON.stringify(sample.event)}`;
  });
  return `{${[`"id":${id}`, ...members].join(',')}}`;
}
