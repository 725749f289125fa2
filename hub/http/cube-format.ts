import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import { toHubError } from '#kernel';
import { presentable, statusOf } from './problem.ts';

/** The longest query as text. */
export const MAX_QUERY = 200_000;

/** A query, or a list of them to blend; Cube checks what is in it. */
export const cubeQuery = z.union([
  z.record(z.string(), z.unknown()),
  z.array(z.record(z.string(), z.unknown())).max(20),
  z.string().max(MAX_QUERY),
]);

/** What may be said beside a query. */
export const cubeOptions = {
  queryType: z.enum(['regularQuery', 'multi', 'blendingQuery', 'compareDateRangeQuery']).optional(),
  cache: z.enum(['stale-if-slow', 'stale-while-revalidate', 'must-revalidate', 'no-cache']).optional(),
};

/** A failure as Cube's clients read it: the text under `error`. What is the hub's own fault is logged. */
export function cubeFailure(thrown: unknown, log: FastifyBaseLogger): { status: number; body: object } {
  const error = presentable(thrown);
  const status = statusOf(error);
  if (status >= 500) log.error({ err: toHubError(thrown), cause: error.cause }, 'cube request failed');
  const { code, message, next } = error;
  return { status, body: { error: message, code, ...(next === undefined ? {} : { next }) } };
}
