import { z } from 'zod';
import { runDoctor } from '../../doctor/index.ts';
import { type Route, route } from '../route.ts';
import { answerLines } from '../streams.ts';
import type { RouteContext } from './context.ts';

/** The hub examines itself. */
export function doctorRoutes(context: RouteContext): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/doctor',
      summary: 'Check the hub’s parts, then follow one written row through every hop',
      scope: 'write',
      body: z.strictObject({ timeoutMs: z.number().int().min(100).max(120_000).default(30_000) }),
      answer: 'Lines of findings (`type: check` or `type: hop`), then `type: result`.',
      contentType: 'application/x-ndjson',
      handle: ({ body, reply }) =>
        answerLines(reply, context.streams, (line, signal) =>
          runDoctor({
            ...context,
            model: async () => (await context.collector.status()).model,
            timeoutMs: body.timeoutMs,
            signal,
            report: line,
          }),
        ),
    }),
  ];
}
