import { z } from 'zod';
import { cubeOptions, cubeQuery } from '../cube-format.ts';

/** Cube's websocket protocol: what its `@cubejs-client/ws-transport` sends. */
const id = z.union([z.string().min(1).max(200), z.number()]);

const question = z.object({
  messageId: id,
  requestId: z.string().max(200).optional(),
  method: z.enum(['load', 'subscribe', 'sql', 'dry-run', 'meta']),
  params: z.object({ query: cubeQuery.optional(), ...cubeOptions }).default({}),
});
const unsubscribe = z.object({ unsubscribe: id });
/** First of all: a key or token, or nothing where the connection itself says who it is (a session's cookie, a header). */
const authorization = z.object({ authorization: z.string().max(20_000).optional() });

export type Question = z.output<typeof question>;
export type MessageId = z.output<typeof id>;

export type ClientMessage =
  | { readonly kind: 'question'; readonly question: Question }
  | { readonly kind: 'unsubscribe'; readonly id: MessageId }
  | { readonly kind: 'authorization'; readonly token: string | undefined };

/** Throws SyntaxError or ZodError on what is none. */
export function parseMessage(text: string): ClientMessage {
  const value: unknown = JSON.parse(text);
  const has = (name: string): boolean => typeof value === 'object' && value !== null && name in value;
  if (has('unsubscribe')) return { kind: 'unsubscribe', id: unsubscribe.parse(value).unsubscribe };
  if (has('method') || has('messageId')) return { kind: 'question', question: question.parse(value) };
  return { kind: 'authorization', token: authorization.parse(value).authorization };
}
