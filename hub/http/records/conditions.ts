import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RecordRow, WriteOptions } from '#apps';
import { userError } from '#kernel';

/** The entity tag of a record is its version. */
export const etagOf = (record: RecordRow): string => `"${record.version}"`;

/** `If-Match` and `Idempotency-Key` of a request that changes something. Errors: REQUEST_INVALID (user). */
export function writeOptions(request: FastifyRequest): WriteOptions {
  const match = request.headers['if-match'];
  const key = request.headers['idempotency-key'];
  if (Array.isArray(key) || (key !== undefined && !/^[\x21-\x7e]{1,200}$/.test(key)))
    throw userError(
      'REQUEST_INVALID',
      'The Idempotency-Key is not 1 to 200 printable characters.',
      'Send a UUID.',
    );
  return {
    ...(match === undefined || match === '*' ? {} : { version: versionOf(match) }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
}

function versionOf(tag: string): number {
  const [, digits] = /^(?:W\/)?"(\d{1,9})"$/.exec(tag) ?? [];
  if (digits === undefined)
    throw userError(
      'REQUEST_INVALID',
      'If-Match is not an ETag of a record.',
      'Send the ETag the record came with.',
    );
  return Number(digits);
}

/** Answers a record with its tag; 304 to who has it already. */
export function sendRecord(
  request: FastifyRequest,
  reply: FastifyReply,
  record: RecordRow,
): RecordRow | undefined {
  const tag = etagOf(record);
  reply.header('etag', tag);
  if (request.method === 'GET' && request.headers['if-none-match'] === tag) {
    reply.status(304).send();
    return undefined;
  }
  return record;
}
