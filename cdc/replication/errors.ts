import { HubError, transientError, userError } from '#kernel';

/**
 * YugabyteDB keeps changes for a limited time and has no SQLSTATE of its own for their loss.
 * https://github.com/yugabyte/yugabyte-db/issues/28840, /24721, /31484
 */
const GONE = /already GCed|stream.{0,60}expired|CHECKPOINT_TOO_OLD|WAL.{0,20}garbage.collected/i;

interface ServerFailure {
  readonly code?: string;
  readonly message?: string;
}

/**
 * What went wrong between the reader and a source, by SQLSTATE or socket code. Unknown failures are
 * transient: the session is built anew and goes on from the last acknowledged position.
 */
export function sourceError(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown;
  const { code = '', message = String(thrown) } = (thrown ?? {}) as ServerFailure;
  if (GONE.test(message)) {
    return transientError('SLOT_LOST', `The source no longer has what the slot needs: ${message}.`, thrown);
  }
  switch (code) {
    case '28P01':
    case '28000':
      return userError(
        'SOURCE_AUTH_FAILED',
        `The source refused the login: ${message}.`,
        'Check user, password and pg_hba.conf, then set the source’s URL again.',
        thrown,
      );
    case '3D000':
      return userError(
        'SOURCE_DATABASE_MISSING',
        `The source has no such database: ${message}.`,
        'Check the database name at the end of the URL.',
        thrown,
      );
    case '42501':
      return userError(
        'SOURCE_NO_REPLICATION_RIGHT',
        `The source’s user lacks a right: ${message}.`,
        'Grant it: ALTER ROLE ... REPLICATION, and SELECT on the captured tables.',
        thrown,
      );
    case '42704':
      return transientError(
        'SLOT_MISSING',
        `The replication slot or publication is gone: ${message}.`,
        thrown,
      );
    case '55006':
      return transientError('SLOT_IN_USE', `The replication slot is in use: ${message}.`, thrown);
    case '55000':
      return transientError('SLOT_LOST', `The replication slot cannot be read: ${message}.`, thrown);
    default:
      return transientError('SOURCE_CONNECTION_LOST', `The source cannot be read: ${message}.`, thrown);
  }
}

/** Fields of an ErrorResponse or NoticeResponse body. */
export function parseFailure(body: Buffer): { code: string; message: string } {
  const fields = new Map<string, string>();
  let at = 0;
  while (at < body.length && body[at] !== 0) {
    const zero = body.indexOf(0, at + 1);
    if (zero < 0) break;
    fields.set(String.fromCharCode(body[at]!), body.toString('utf8', at + 1, zero));
    at = zero + 1;
  }
  return { code: fields.get('C') ?? '', message: fields.get('M') ?? 'no message' };
}
