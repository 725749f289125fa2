import { z } from 'zod';
import { type Route, route } from '../route.ts';
import { answerLines } from '../streams.ts';
import type { RouteContext } from './context.ts';

/** Comparison of source and warehouse. */
export function verifyRoutes({ services, streams }: RouteContext): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/verify',
      summary: 'Compare source and warehouse row by row, and repair on request',
      scope: 'write',
      body: z
        .strictObject({
          source: z.string().min(1).max(40).optional(),
          table: z.string().min(1).max(200).optional(),
          repair: z.boolean().default(false),
        })
        .refine((body) => body.table === undefined || body.source !== undefined, {
          message: 'Name the source too',
          path: ['source'],
        }),
      answer: 'Lines of progress (`type: progress`), then `type: result` with `ok` and the report.',
      contentType: 'application/x-ndjson',
      handle: ({ body, reply }) =>
        answerLines(reply, streams, (line, signal) =>
          services.verify(body, (progress) => line({ type: 'progress', ...progress }), signal),
        ),
    }),
  ];
}
