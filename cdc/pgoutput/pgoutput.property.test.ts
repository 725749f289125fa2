import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HubError } from '#kernel';
import { Decoder, formatLsn, parseLsn, type Relation, type Tuple, textAt } from './index.ts';
import { encode, type Value } from './testing.ts';

const lsn = fc.integer({ min: 0, max: 2 ** 52 - 1 });
const oid = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const micros = fc.integer({ min: 0, max: 4_000_000_000_000_000 });
const name = fc
  .string({ minLength: 1, maxLength: 20, unit: 'binary' })
  .filter((text) => !text.includes('\0'));
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.constant(undefined),
  fc.string({ maxLength: 60, unit: 'binary' }),
);
const row = fc.array(value, { maxLength: 12 });

const relation: fc.Arbitrary<Relation> = fc.record({
  oid,
  schema: name,
  table: name,
  identity: fc.constantFrom('d', 'n', 'f', 'i'),
  columns: fc.array(
    fc.record({
      name,
      typeOid: oid,
      typmod: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
      partOfKey: fc.boolean(),
    }),
    { maxLength: 12 },
  ),
});

const decoder = new Decoder();

/** Decodes from the middle of a larger buffer: places are not offsets from zero. */
function decode(message: Buffer): ReturnType<Decoder['decode']> {
  const padded = Buffer.concat([Buffer.from('before'), message, Buffer.from('after')]);
  return decoder.decode(padded, 6, 6 + message.length);
}

const values = (tuple: Tuple): Value[] =>
  Array.from({ length: tuple.count }, (_, index) => textAt(tuple, index));

const parameters = { numRuns: 300 };

describe('what the server encodes is decoded', () => {
  test('transactions', () => {
    fc.assert(
      fc.property(lsn, lsn, micros, oid, (commitLsn, endLsn, committedAt, xid) => {
        expect(decode(encode.begin(commitLsn, committedAt, xid))).toEqual({
          kind: 'begin',
          finalLsn: commitLsn,
          committedAt,
          xid,
        });
        expect(decode(encode.commit(commitLsn, endLsn, committedAt))).toEqual({
          kind: 'commit',
          commitLsn,
          endLsn,
          committedAt,
        });
      }),
      parameters,
    );
  });

  test('relations, types, origins, truncates', () => {
    fc.assert(
      fc.property(relation, fc.array(oid, { maxLength: 5 }), lsn, (described, oids, at) => {
        expect(decode(encode.relation(described))).toEqual({ kind: 'relation', relation: described });
        expect(decode(encode.type(described.oid, described.schema, described.table))).toEqual({
          kind: 'type',
          oid: described.oid,
          schema: described.schema,
          name: described.table,
        });
        expect(decode(encode.origin(at, described.table))).toEqual({
          kind: 'origin',
          lsn: at,
          name: described.table,
        });
        expect(decode(encode.truncate(oids, 3))).toEqual({
          kind: 'truncate',
          cascade: true,
          restartIdentity: true,
          oids,
        });
      }),
      parameters,
    );
  });

  test('rows', () => {
    fc.assert(
      fc.property(oid, row, row, fc.constantFrom('K', 'O'), (table, now, old, kind) => {
        const insert = decode(encode.insert(table, now));
        expect(insert.kind === 'insert' && [insert.oid, values(insert.row)]).toEqual([table, now]);
        const update = decode(encode.update(table, now, { kind, row: old }));
        expect(
          update.kind === 'update' && [update.oid, update.oldKind, values(update.old), values(update.row)],
        ).toEqual([table, kind === 'K' ? 'key' : 'full', old, now]);
        const plain = decode(encode.update(table, now));
        expect(plain.kind === 'update' && [plain.oldKind, values(plain.row)]).toEqual(['none', now]);
        const gone = decode(encode.delete(table, kind, old));
        expect(gone.kind === 'delete' && values(gone.old)).toEqual(old);
      }),
      parameters,
    );
  });

  test('positions', () => {
    fc.assert(fc.property(lsn, (at) => parseLsn(formatLsn(at)) === at));
    expect(formatLsn(0x16_b374_d848)).toBe('16/B374D848');
    expect(() => parseLsn('16-1')).toThrow('not a log position');
    expect(() => parseLsn('FFFFFFFF/0')).toThrow('52 bits');
  });
});

/** Anything but the typed error is a defect; so is reading outside of the message. */
function survives(message: Buffer): void {
  try {
    decode(message);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    expect(['PGOUTPUT_MALFORMED', 'LSN_TOO_LARGE']).toContain(error.code);
  }
}

describe('malformed input is a typed error', () => {
  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => survives(Buffer.from(bytes))),
      {
        numRuns: 2000,
      },
    );
    const tags = [...'BCORYIUDTMS'].map((tag) => tag.charCodeAt(0));
    fc.assert(
      fc.property(fc.constantFrom(...tags), fc.uint8Array({ maxLength: 200 }), (tag, bytes) =>
        survives(Buffer.from([tag, ...bytes])),
      ),
      { numRuns: 5000 },
    );
  });

  test('every cut of a whole message', () => {
    fc.assert(
      fc.property(relation, row, row, (described, now, old) => {
        const messages = [
          encode.relation(described),
          encode.insert(1, now),
          encode.update(1, now, { kind: 'O', row: old }),
          encode.delete(1, 'K', old),
          encode.truncate([1, 2], 0),
          encode.begin(1, 2, 3),
          encode.commit(1, 2, 3),
        ];
        for (const message of messages) {
          for (let cut = 0; cut < message.length; cut += 1) {
            expect(() => decode(message.subarray(0, cut))).toThrow(HubError);
          }
          expect(() => decode(Buffer.concat([message, Buffer.from([0])]))).toThrow(HubError);
        }
      }),
      { numRuns: 30 },
    );
  });
});
