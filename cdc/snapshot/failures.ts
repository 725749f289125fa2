import { HubError, pgTable, type TableId, toHubError, transientError } from '#kernel';

/** Network failures and SQLSTATEs after which the same work may well succeed. */
const TRANSIENT = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  '55P03',
  '55006',
  '40001',
  '40P01',
  '57014',
  '57P01',
  '57P02',
  '57P03',
  '58000',
  '72000',
]);

/** undefined_object, object_not_in_prerequisite_state, invalid_parameter_value: by server version. */
const MOMENT_GONE = new Set(['42704', '55000', '22023']);

/** A session could not be brought to the snapshot's moment: with the session that exported it the moment is gone. */
export function momentError(error: unknown, id: TableId): unknown {
  if (!MOMENT_GONE.has((error as { code?: string }).code ?? '')) return error;
  const name = pgTable(id.schema, id.table);
  return transientError('SNAPSHOT_INTERRUPTED', `The session that reads ${name} has ended.`, error);
}

/** What a failed step of a snapshot means: retried (transient), or for capture to act on. */
export function snapshotError(error: unknown, id: TableId): HubError {
  if (error instanceof HubError) return error;
  const { code = '', message = String(error) } = error as { code?: string; message?: string };
  const name = pgTable(id.schema, id.table);
  if (code === '42P01' || code === '3F000') {
    return new HubError('TABLE_DROPPED', `${name} was dropped while it was being read.`, {
      next: 'Nothing to do: the warehouse keeps its last rows.',
      cause: error,
    });
  }
  if (code === '42703' || code === '42883') {
    return new HubError('SNAPSHOT_SHAPE_CHANGED', `The columns of ${name} changed while it was being read.`, {
      next: 'The snapshot begins anew with the new columns.',
      cause: error,
    });
  }
  if (code === '42501') {
    return new HubError('TABLE_NOT_READABLE', `The user may not read ${name}: ${message}.`, {
      next: `Run as its owner: GRANT SELECT ON ${name} TO the hub's user.`,
      disposition: 'user',
      cause: error,
    });
  }
  if (code === '55P03') {
    return transientError('TABLE_LOCKED', `${name} is locked by another session.`, error);
  }
  const broken = /Connection terminated|Connection ended|timeout exceeded when trying to connect/i.test(
    message,
  );
  if (TRANSIENT.has(code) || /^(08|53)/.test(code) || broken) {
    return transientError('SOURCE_UNAVAILABLE', `The source could not be read: ${message}.`, error);
  }
  return toHubError(error);
}
