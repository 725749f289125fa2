import { z } from 'zod';
import { publicConfig, toHubError } from '#kernel';
import { type Route, route } from '../route.ts';
import { openEvents, RECHECK_MS } from '../streams.ts';
import type { RouteContext } from './context.ts';

/** What the hub is doing: once, as history, and as a live stream. */
export function statusRoutes({ collector, streams, config, identity }: RouteContext): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/status',
      summary: 'Sources, tables, roles, log and warehouse at this moment',
      scope: 'read',
      answer: 'The status document.',
      handle: () => collector.status(),
    }),
    route({
      method: 'GET',
      path: '/api/v1/status/stream',
      summary: 'The status document about once a second, as server-sent events',
      scope: 'read',
      answer: 'First an event `history` (recent headline figures), then events `status` or `problem`.',
      contentType: 'text/event-stream',
      query: z.strictObject({}),
      handle: async ({ reply, request }) => {
        const events = openEvents(reply, streams);
        events.send('history', collector.history());
        let checked = performance.now();
        const stop = collector.subscribe((document) => {
          events.send('hub' in document ? 'status' : 'problem', document);
          if (performance.now() - checked < RECHECK_MS) return;
          checked = performance.now();
          identity.authenticator.stillGood(request).then(
            (good) => {
              if (!good) reply.raw.end();
            },
            (error: unknown) => request.log.warn({ err: toHubError(error) }, 'stream not checked'),
          );
        });
        events.closed.addEventListener('abort', stop);
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/config',
      summary: 'The effective configuration, secrets hidden',
      scope: 'admin',
      answer: 'The configuration.',
      handle: async () => publicConfig(config),
    }),
  ];
}
