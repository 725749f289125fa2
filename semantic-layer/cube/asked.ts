import { HubError, userError } from '#kernel';
import type { ErrorMessage } from './library.ts';

/** Rows of one answer over REST and GraphQL. */
const REST_MAX_ROWS = 50_000;
const MAX_BLENDED = 20;

/** A query as sent over REST. Errors: QUERY_INVALID, for what is no JSON or asks for too much. */
export function restQuery(query: unknown): unknown {
  let parsed = query;
  if (typeof query === 'string') {
    try {
      parsed = JSON.parse(query);
    } catch (cause) {
      throw userError(
        'QUERY_INVALID',
        'The query is not JSON.',
        'Send it as Cube’s REST API takes it.',
        cause,
      );
    }
  }
  const all = Array.isArray(parsed) ? parsed : [parsed];
  if (all.length > MAX_BLENDED)
    throw userError(
      'QUERY_INVALID',
      `A request holds at most ${MAX_BLENDED} queries.`,
      'Send several requests.',
    );
  for (const one of all) {
    if (typeof one !== 'object' || one === null)
      throw userError('QUERY_INVALID', 'A query is an object.', 'See docs/semantic-layer.md.');
    const { limit } = one as { limit?: unknown };
    if (typeof limit === 'number' && limit > REST_MAX_ROWS)
      throw userError(
        'QUERY_INVALID',
        `A limit is at most ${REST_MAX_ROWS}.`,
        'Read further rows with "offset", or ask for less detail.',
      );
  }
  return parsed;
}

export const hasLimit = (query: unknown): boolean =>
  (Array.isArray(query) ? query : [query]).some(
    (one) => typeof (one as { limit?: unknown }).limit === 'number',
  );

/** What Cube refuses, as the hub says it. */
export function failure(message: ErrorMessage, status: number): HubError {
  const text = String(message.error ?? 'The query failed.').replace(/^(User)?Error: /, '');
  if (
    status >= 500 &&
    !/^(You requested hidden|Can't find|.*not found for path|.* not found|Expressions are not)/i.test(text)
  )
    return new HubError('SEMANTIC_FAILED', text, { next: 'Look for the request id in the hub’s log.' });
  return userError('QUERY_INVALID', text, 'Look at /cubejs-api/v1/meta for the members there are.');
}

/** Cube's ways to say that a member cannot be read come when the result is written. */
const refused = (thrown: unknown): never => {
  throw userError(
    'QUERY_INVALID',
    (thrown as Error).message,
    'Look at /cubejs-api/v1/meta for the members there are.',
    thrown,
  );
};

/** What `work` gives. Errors: QUERY_INVALID for what it throws. */
export function shown<T>(work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    return refused(thrown);
  }
}

export const tooLarge = (maxRows: number): HubError =>
  userError(
    'QUERY_TOO_LARGE',
    `The result has more than ${maxRows.toLocaleString('en')} rows.`,
    'Ask for less detail, or filter.',
  );
