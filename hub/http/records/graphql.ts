import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphqlHandler, GraphqlRequest } from '#apps';
import type { Principal } from '#kernel';
import { endWithIdentity, type OpenStreams } from '../streams.ts';
import { Waiting } from '../waiting.ts';

/** Who asks: authenticated, and bound to one tenant. */
export type CallerOf = (request: FastifyRequest) => Promise<Principal>;

/**
 * `/graphql`: POST, GET for queries, server-sent events for subscriptions (bounded in number like all streams, and
 * ended soon after the session, key or user they were opened with).
 */
export function mountGraphql(
  app: FastifyInstance,
  graphql: GraphqlHandler,
  callerOf: CallerOf,
  streams: OpenStreams,
  stillGood: (request: FastifyRequest) => Promise<boolean>,
): void {
  app.route({
    method: ['GET', 'POST', 'OPTIONS'],
    url: '/graphql',
    handler: async (request, reply) => {
      const principal = await callerOf(request);
      const client = new Waiting(reply.raw);
      const response = await graphql(toRequest(request, client), {
        principal,
        requestId: request.id,
        client,
      });
      if ('direct' in response)
        return reply.status(response.status).header('content-type', response.contentType).send(response.text);
      return answer(reply, response, streams, {
        end() {
          client.leave();
          reply.raw.end();
        },
        stillGood: () => stillGood(request),
      });
    },
  });
}

function toRequest({ method, url, headers, body }: FastifyRequest, client: Waiting): GraphqlRequest {
  const hasBody = method !== 'GET' && body !== undefined && body !== null;
  return { method, url, headers, signal: () => client.signal, ...(hasBody ? { body } : {}) };
}

async function answer(
  reply: FastifyReply,
  response: Response,
  streams: OpenStreams,
  opened: { readonly end: () => void; readonly stillGood: () => Promise<boolean> },
): Promise<FastifyReply> {
  reply.status(response.status);
  for (const [name, value] of response.headers) reply.header(name, value);
  if (!response.body) return reply.send();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    return reply.send(await response.text());
  const { end, stillGood } = opened;
  const release = streams.add(end);
  const unwatch = endWithIdentity(reply.log, stillGood, end);
  reply.raw.once('close', () => {
    release();
    unwatch();
  });
  return reply.send(Readable.from(response.body, { objectMode: false }));
}
