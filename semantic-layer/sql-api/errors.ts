import { HubError } from '#kernel';

/** An error as PostgreSQL clients show it. `hint` names what to do next, where it can the nearest query that works. */
export class SqlError extends Error {
  readonly sqlstate: string;
  readonly hint: string | undefined;
  readonly position: number | undefined;

  constructor(
    sqlstate: string,
    message: string,
    options: { hint?: string; position?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SqlError';
    this.sqlstate = sqlstate;
    this.hint = options.hint;
    this.position = options.position;
  }
}

/** A statement that could only be answered with a number that might be wrong, or not at all (0A000). */
export const refused = (message: string, hint: string): SqlError => new SqlError('0A000', message, { hint });

const STATES: Readonly<Record<string, string>> = {
  QUERY_TOO_LARGE: '54000',
  QUERY_REFUSED: '53400',
  QUERY_INVALID: '42703',
  SEMANTIC_COMPILING: '57P03',
  UNAUTHORISED: '28P01',
  FORBIDDEN: '42501',
};

/** Anything thrown, as what the client is told. Foreign errors keep their text out of the answer. */
export function toSqlError(thrown: unknown): SqlError {
  if (thrown instanceof SqlError) return thrown;
  if (thrown instanceof HubError) {
    const state = STATES[thrown.code] ?? (thrown.disposition === 'transient' ? '57P03' : 'XX000');
    return new SqlError(state, `${thrown.message} (${thrown.code})`, {
      ...(thrown.next === undefined ? {} : { hint: thrown.next }),
      cause: thrown,
    });
  }
  return new SqlError('XX000', 'The statement failed inside the SQL API.', {
    hint: 'The log of the role api says why.',
    cause: thrown,
  });
}

export const cancelled = (): SqlError => new SqlError('57014', 'canceling statement due to user request');
