import type { SqlError } from '../errors.ts';

/** What the server sends. Format: PostgreSQL documentation, "Message Formats" (protocol 3.0). */
export interface Field {
  readonly name: string;
  readonly oid: number;
  readonly size: number;
  readonly modifier?: number;
  readonly table?: number;
  readonly column?: number;
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.from(`${value.replaceAll('\0', '')}\0`, 'utf8');

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4);
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, ...parts]);
}

export const authenticationOk = (): Buffer => message('R', int32(0));
export const askPassword = (): Buffer => message('R', int32(3));
export const parameterStatus = (name: string, value: string): Buffer => message('S', text(name), text(value));
export const backendKey = (pid: number, secret: number): Buffer => message('K', int32(pid), int32(secret));
export const ready = (status: 'I' | 'T' | 'E'): Buffer => message('Z', Buffer.from(status, 'latin1'));
export const parseComplete = (): Buffer => message('1');
export const bindComplete = (): Buffer => message('2');
export const closeComplete = (): Buffer => message('3');
export const noData = (): Buffer => message('n');
export const emptyQuery = (): Buffer => message('I');
export const portalSuspended = (): Buffer => message('s');
export const commandComplete = (tag: string): Buffer => message('C', text(tag));
export const negotiateProtocol = (minor: number, unknown: readonly string[]): Buffer =>
  message('v', int32(minor), int32(unknown.length), ...unknown.map(text));
export const parameterDescription = (oids: readonly number[]): Buffer =>
  message('t', int16(oids.length), ...oids.map(int32));

export const rowDescription = (fields: readonly Field[], formats: readonly number[]): Buffer =>
  message(
    'T',
    int16(fields.length),
    ...fields.flatMap((field, at) => [
      text(field.name),
      int32(field.table ?? 0),
      int16(field.column ?? 0),
      int32(field.oid),
      int16(field.size),
      int32(field.modifier ?? -1),
      int16(formatOf(formats, at)),
    ]),
  );

/** Format of the n-th value: none given = text, one = that for all. */
export const formatOf = (formats: readonly number[], at: number): number =>
  formats.length === 0 ? 0 : formats.length === 1 ? formats[0]! : (formats[at] ?? 0);

export function dataRow(values: readonly (Buffer | null)[]): Buffer {
  let length = 6;
  for (const value of values) length += 4 + (value?.length ?? 0);
  const bytes = Buffer.allocUnsafe(length + 1);
  bytes.write('D', 0, 'latin1');
  bytes.writeInt32BE(length, 1);
  bytes.writeInt16BE(values.length, 5);
  let at = 7;
  for (const value of values) {
    bytes.writeInt32BE(value === null ? -1 : value.length, at);
    at += 4;
    if (value !== null) at += value.copy(bytes, at);
  }
  return bytes;
}

const report = (type: 'E' | 'N', fields: Readonly<Record<string, string | undefined>>): Buffer =>
  message(
    type,
    ...Object.entries(fields).flatMap(([code, value]) =>
      value === undefined ? [] : [Buffer.from(code, 'latin1'), text(value)],
    ),
    Buffer.alloc(1),
  );

export const errorResponse = (error: SqlError, severity: 'ERROR' | 'FATAL' = 'ERROR'): Buffer =>
  report('E', {
    S: severity,
    V: severity,
    C: error.sqlstate,
    M: error.message,
    H: error.hint,
    P: error.position === undefined ? undefined : String(error.position),
  });

export const notice = (message: string, severity: 'NOTICE' | 'WARNING' = 'NOTICE'): Buffer =>
  report('N', { S: severity, V: severity, C: severity === 'NOTICE' ? '00000' : '01000', M: message });
