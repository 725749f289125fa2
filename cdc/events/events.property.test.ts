import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Column, type LogRecord, type ScalarKind, type TableSchema, UNAVAILABLE } from '#kernel';
import { Decoder, type Relation } from '../pgoutput/index.ts';
import { encode, type Value } from '../pgoutput/testing.ts';
import { Arena, TableEncoder, TransactionBlock } from './index.ts';

const KINDS: readonly ScalarKind[] = ['int8', 'text', 'numeric', 'bool', 'float8', 'bytes', 'json'];
const COMMITTED_AT = 1_770_000_000_123_456;

function setUp(kinds: readonly ScalarKind[], { full = false, partitions = 1, wholeRow = false } = {}) {
  const columns: Column[] = kinds.map((kind, index) => ({
    name: `c"${index}`,
    attnum: index + 1,
    type: { kind, sourceType: kind },
    nullable: index > 0,
    fill: null,
  }));
  const relation: Relation = {
    oid: 1,
    schema: 'public',
    table: 't',
    identity: full ? 'f' : 'd',
    columns: columns.map(({ name }, index) => ({
      name,
      typeOid: 1,
      typmod: -1,
      partOfKey: full || index === 0,
    })),
  };
  const schema: TableSchema = {
    source: 's',
    schema: 'public',
    table: 't',
    version: 3,
    columns,
    keyRule: wholeRow ? 'whole-row' : 'primary-key',
    key: wholeRow ? columns.map(({ name }) => name) : [columns[0]!.name],
    fullIdentity: full,
  };
  const records: { partition: number; key: string | null; event: Record<string, unknown> }[] = [];
  const raw: string[] = [];
  const encoder = new TableEncoder({
    schema,
    relation,
    generation: 2,
    partitions,
    emit: (partition, { key, value }: LogRecord) => {
      raw.push(value!.toString());
      records.push({ partition, key: key?.toString() ?? null, event: JSON.parse(value!.toString()) });
    },
  });
  encoder.tick(1_771_000_000_000);
  const block = new TransactionBlock();
  block.set(COMMITTED_AT, 77);
  const arena = new Arena();
  const decoder = new Decoder();
  return {
    records,
    raw,
    names: columns.map(({ name }) => name),
    send(message: Buffer, lsn = 4_503_599_627_370_000) {
      const change = decoder.decode(message, 0, message.length);
      const place = { start: 0, end: message.length };
      if (change.kind === 'insert') encoder.insert(change, place, lsn, block, arena);
      else if (change.kind === 'update') encoder.update(change, place, lsn, block, arena);
      else if (change.kind === 'delete') encoder.delete(change, place, lsn, block, arena);
      else encoder.truncate(lsn, block, arena);
    },
  };
}

const source = {
  connector: 'postgresql',
  name: 's',
  schema: 'public',
  table: 't',
  ts_ms: 1_770_000_000_123,
  ts_us: COMMITTED_AT,
  txId: 77,
  snapshot: 'false',
  gen: 2,
  sv: 3,
  lsn: 4_503_599_627_370_000,
};

function expected(kind: ScalarKind, value: Value): unknown {
  if (value === null) return null;
  if (value === undefined) return UNAVAILABLE;
  const text = value.toString();
  switch (kind) {
    case 'int8':
      return Number(text);
    case 'float8':
      return Number.isFinite(Number(text)) ? Number(text) : text;
    case 'bool':
      return text === 't';
    case 'bytes':
      return Buffer.from(text.slice(2), 'hex').toString('base64');
    default:
      return text;
  }
}

const arbitraryOf = (kind: ScalarKind): fc.Arbitrary<Value> => {
  const texts: Record<string, fc.Arbitrary<string>> = {
    int8: fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }).map(String),
    float8: fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.constantFrom('NaN', 'Infinity', '-Infinity'),
    ),
    bool: fc.constantFrom('t', 'f'),
    bytes: fc.uint8Array({ maxLength: 80 }).map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  };
  const text =
    texts[kind] ?? fc.oneof(fc.string({ maxLength: 300, unit: 'binary' }), fc.string({ maxLength: 20 }));
  return fc.oneof({ weight: 6, arbitrary: text }, { weight: 1, arbitrary: fc.constant(null) });
};
const rowOf = fc.tuple(...KINDS.map(arbitraryOf)).filter(([key]) => key !== null);

describe('events say what the wire said', () => {
  test('inserts of every kind of value', () => {
    fc.assert(
      fc.property(rowOf, (row) => {
        const at = setUp(KINDS);
        at.send(encode.insert(1, row));
        const after = Object.fromEntries(at.names.map((name, i) => [name, expected(KINDS[i]!, row[i])]));
        expect(at.records).toEqual([
          {
            partition: 0,
            key: `{"c\\"0":${row[0]}}`,
            event: { before: null, after, source, op: 'c', ts_ms: 1_771_000_000_000 },
          },
        ]);
        expect(Object.keys(at.records[0]!.event)).toEqual(['before', 'after', 'source', 'op', 'ts_ms']);
      }),
      { numRuns: 500 },
    );
  });

  test('digits of int8 beyond 2^53 are kept', () => {
    const at = setUp(['int8', 'int8']);
    at.send(encode.insert(1, ['9223372036854775807', '-9223372036854775808']));
    expect(at.raw[0]).toContain('{"c\\"0":9223372036854775807,"c\\"1":-9223372036854775808}');
  });

  test('large values, escapes throughout and text that is not UTF-8', () => {
    const at = setUp(['int4', 'text', 'bytes']);
    const large = '\u0001"\\\n'.repeat(500_000);
    at.send(encode.insert(1, ['1', large, `\\x${'ab'.repeat(1_000_000)}`]));
    at.send(encode.insert(1, ['2', Buffer.from([0x61, 0xff, 0xfe, 0x22]), null]));
    at.send(encode.insert(1, ['3', Buffer.alloc(100_000, 0xff), null]));
    const after = at.records.map(({ event }) => event.after as Record<string, string>);
    expect(after[0]!['c"1'] === large).toBe(true);
    expect(Buffer.from(after[0]!['c"2']!, 'base64').equals(Buffer.alloc(1_000_000, 0xab))).toBe(true);
    expect(after[1]!['c"1']).toBe('a\ufffd\ufffd"');
    expect(after[2]!['c"1'] === '\ufffd'.repeat(100_000)).toBe(true);
  });
});

describe('updates and deletes', () => {
  test('an unchanged value comes from the old row, else it is marked', () => {
    const at = setUp(['int4', 'text', 'text']);
    at.send(encode.update(1, ['1', undefined, 'x']));
    const full = setUp(['int4', 'text', 'text'], { full: true });
    full.send(encode.update(1, ['1', undefined, 'x'], { kind: 'O', row: ['1', 'long', 'w'] }));
    expect(at.records[0]!.event).toMatchObject({
      op: 'u',
      before: null,
      after: { 'c"0': 1, 'c"1': UNAVAILABLE, 'c"2': 'x' },
    });
    expect(full.records[0]!.event).toMatchObject({
      op: 'u',
      before: { 'c"0': 1, 'c"1': 'long', 'c"2': 'w' },
      after: { 'c"0': 1, 'c"1': 'long', 'c"2': 'x' },
    });
  });

  test('a changed key is a delete and a create', () => {
    const at = setUp(['int4', 'text']);
    at.send(encode.update(1, ['2', undefined], { kind: 'K', row: ['1', null] }));
    expect(at.records.map(({ key, event }) => [key, event.op, event.before, event.after])).toEqual([
      ['{"c\\"0":1}', 'd', { 'c"0': 1 }, null],
      ['{"c\\"0":2}', 'c', null, { 'c"0': 2, 'c"1': UNAVAILABLE }],
    ]);
  });

  test('an old key that equals the new one is no change of key', () => {
    const at = setUp(['text', 'text']);
    at.send(encode.update(1, ['k', 'b'], { kind: 'K', row: ['k', null] }));
    expect(at.records.map(({ event }) => [event.op, event.before])).toEqual([['u', null]]);
  });

  test('the whole row is the key', () => {
    const at = setUp(['int4', 'text'], { full: true, wholeRow: true });
    at.send(encode.update(1, ['1', 'b'], { kind: 'O', row: ['1', 'a'] }));
    at.send(encode.delete(1, 'O', ['1', 'b']));
    expect(at.records.map(({ key, event }) => [key, event.op])).toEqual([
      ['{"c\\"0":1,"c\\"1":"a"}', 'd'],
      ['{"c\\"0":1,"c\\"1":"b"}', 'c'],
      ['{"c\\"0":1,"c\\"1":"b"}', 'd'],
    ]);
  });

  test('a truncate goes to every partition', () => {
    const at = setUp(['int4'], { partitions: 3 });
    at.send(encode.truncate([1], 0));
    expect(at.records.map(({ partition, key, event }) => [partition, key, event.op])).toEqual([
      [0, null, 't'],
      [1, null, 't'],
      [2, null, 't'],
    ]);
  });
});
