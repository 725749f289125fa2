import { SqlError } from '../errors.ts';
import type { Field } from '../wire/backend.ts';

/** What the embedded PostgreSQL is sent and answers, as far as the catalogue needs it. */
export interface Answer {
  readonly params: readonly number[];
  readonly fields: readonly Field[] | null;
  readonly rows: readonly (Buffer | null)[][];
  readonly tag: string;
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`, 'utf8');
const int16 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [at, value] of values.entries()) bytes.writeInt16BE(value, at * 2);
  return bytes;
};
const int32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeInt32BE(value, at * 4);
  return bytes;
};
const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body]);
};

export const sync = (): Buffer => message('S');
export const parseMessage = (sql: string, types: readonly number[]): Buffer =>
  message('P', text(''), text(sql), int16(types.length), int32(...types));
export const describeStatement = (): Buffer => message('D', Buffer.from('S', 'latin1'), text(''));
export const executeMessages = (
  params: readonly (Buffer | null)[],
  formats: readonly number[],
  results: readonly number[],
): Buffer[] => [
  message(
    'B',
    text(''),
    text(''),
    int16(formats.length, ...formats),
    int16(params.length),
    ...params.flatMap((value) => (value === null ? [int32(-1)] : [int32(value.length), value])),
    int16(results.length, ...results),
  ),
  message('D', Buffer.from('P', 'latin1'), text('')),
  message('E', text(''), int32(0)),
];

/** Takes an answer apart. Errors: the server's own, as SqlError. */
export function readAnswer(bytes: Buffer): Answer {
  let params: number[] = [];
  let fields: Field[] | null = null;
  const rows: (Buffer | null)[][] = [];
  let tag = '';
  for (let at = 0; at + 5 <= bytes.length; ) {
    const type = String.fromCharCode(bytes[at]!);
    const length = bytes.readInt32BE(at + 1);
    const body = bytes.subarray(at + 5, at + 1 + length);
    at += 1 + length;
    if (type === 'E') throw serverError(body);
    if (type === 't')
      params = Array.from({ length: body.readInt16BE(0) }, (_, one) => body.readInt32BE(2 + one * 4));
    if (type === 'T') fields = fieldsOf(body);
    if (type === 'D') rows.push(valuesOf(body));
    if (type === 'C') tag = body.toString('utf8', 0, body.length - 1);
  }
  return { params, fields, rows, tag };
}

function serverError(body: Buffer): SqlError {
  const parts = new Map(
    body
      .toString('utf8')
      .split('\0')
      .filter((part) => part !== '')
      .map((part) => [part[0]!, part.slice(1)]),
  );
  const position = parts.get('P');
  return new SqlError(parts.get('C') ?? 'XX000', parts.get('M') ?? 'the catalogue failed', {
    ...(parts.get('H') === undefined ? {} : { hint: parts.get('H')! }),
    ...(position === undefined ? {} : { position: Number(position) }),
  });
}

function fieldsOf(body: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 2;
  for (let count = body.readInt16BE(0); count > 0; count -= 1) {
    const end = body.indexOf(0, at);
    const name = body.toString('utf8', at, end);
    at = end + 1;
    fields.push({
      name,
      table: body.readInt32BE(at),
      column: body.readInt16BE(at + 4),
      oid: body.readInt32BE(at + 6),
      size: body.readInt16BE(at + 10),
      modifier: body.readInt32BE(at + 12),
    });
    at += 18;
  }
  return fields;
}

function valuesOf(body: Buffer): (Buffer | null)[] {
  let at = 2;
  return Array.from({ length: body.readInt16BE(0) }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return body.subarray(at - length, at);
  });
}
