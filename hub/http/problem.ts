import type { FastifyError } from 'fastify';
import { z } from 'zod';
import { HubError, toHubError } from '#kernel';

const STATUS: Readonly<Record<string, number>> = {
  UNAUTHORISED: 401,
  SIGN_IN_REFUSED: 401,
  CODE_REQUIRED: 401,
  CODE_WRONG: 401,
  FORBIDDEN: 403,
  ORIGIN_REFUSED: 403,
  TENANT_BOUND: 403,
  TENANT_DENIED: 403,
  SIGN_IN_THROTTLED: 429,
  RATE_LIMITED: 429,
  NOT_FOUND: 404,
  BUSY: 503,
  CLOSING: 503,
  TOO_LARGE: 413,
  PERMISSION_DENIED: 403,
  FIELD_DENIED: 403,
  ENTITY_UNKNOWN: 404,
  TRANSITION_UNKNOWN: 404,
  ACTION_UNKNOWN: 404,
  VERSION_STALE: 412,
  TRANSITION_REFUSED: 409,
  ACTION_REFUSED: 409,
  RECORD_SUBMITTED: 409,
  RECORD_IN_USE: 409,
  EFFECT_NO_MATCH: 409,
  AUTOMATION_LOOP: 409,
  IDEMPOTENCY_BUSY: 409,
  IDEMPOTENCY_MISMATCH: 422,
  RULE_BROKEN: 422,
};

/** HTTP status of an error: by code, else by disposition. */
export function statusOf(error: HubError): number {
  const known = STATUS[error.code];
  if (known !== undefined) return known;
  if (/_NOT_FOUND$/.test(error.code)) return 404;
  if (/_(EXISTS|TAKEN|CONFLICT)$/.test(error.code)) return 409;
  if (error.disposition === 'user') return 400;
  return error.disposition === 'transient' ? 503 : 500;
}

/** Whatever a handler or fastify threw, as a HubError that may be shown: foreign errors lose their text. */
export function presentable(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown;
  if (thrown instanceof z.ZodError) return invalid(thrown);
  const { statusCode, code } = thrown as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new HubError('TOO_LARGE', 'The request body is too large.', {
      next: 'Send at most 1 MiB.',
      disposition: 'user',
    });
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HubError('REQUEST_INVALID', (thrown as Error).message, {
      next: 'See /api/v1/openapi.json for what the route takes.',
      disposition: 'user',
    });
  }
  if (isConnectionError(thrown)) {
    return new HubError('STATE_UNAVAILABLE', 'The hub’s own database does not answer.', {
      next: 'Wait a moment and try again; `bac doctor` shows what is down.',
      disposition: 'transient',
      cause: thrown,
    });
  }
  return new HubError('INTERNAL', 'The hub failed at this request.', {
    next: 'Look for the request id in the hub’s log.',
    cause: toHubError(thrown),
  });
}

function isConnectionError(thrown: unknown): boolean {
  const { code, message } = thrown as { code?: string; message?: string };
  return (
    ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', '57P01', '57P02', '57P03'].includes(code ?? '') ||
    /Connection terminated|timeout exceeded when trying to connect/.test(message ?? '')
  );
}

/** A zod failure as a user error with one entry per field, so that a form can show each in its place. */
function invalid(error: z.ZodError): HubError {
  const fields = error.issues.slice(0, 20).map((issue) => ({
    path: issue.path.join('.'),
    message: issue.message,
  }));
  const first = fields[0];
  return new HubError(
    'REQUEST_INVALID',
    first ? `${first.path ? `${first.path}: ` : ''}${first.message}` : 'The request is not valid.',
    {
      next: 'See /api/v1/openapi.json for what the route takes.',
      disposition: 'user',
      details: { fields },
    },
  );
}
