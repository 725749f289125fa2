import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { toHubError } from '#kernel';
import type { OpenStreams } from './streams.ts';

/**
 * Answers with a stream, which ends when the client goes away or the server closes. A failure after the first byte
 * can only be told by breaking the connection off. Resolves when the answer has ended.
 */
export async function streamed(
  {
    request,
    reply,
    signal,
  }: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly signal: AbortSignal },
  streams: OpenStreams,
  contentType: string,
  result: Readable,
): Promise<void> {
  const release = streams.add(() => result.destroy());
  reply.hijack();
  reply.raw.writeHead(200, {
    'content-type': contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': request.id,
  });
  await pipeline(result, reply.raw)
    .catch((error) => {
      if (!signal.aborted) request.log.warn({ err: toHubError(error) }, 'a streamed answer broke off');
      reply.raw.destroy();
    })
    .finally(release);
}
