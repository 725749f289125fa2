import { Readable } from 'node:stream';
import { z } from 'zod';
import type { SqlApi } from '#semantic';
import type { Identity } from '../../identity/index.ts';
import { type Route, route } from '../route.ts';
import { streamed } from '../streamed.ts';
import type { OpenStreams } from '../streams.ts';

const ARROW = 'application/vnd.apache.arrow.stream';

export interface ArrowRoutesContext {
  readonly sql: Pick<SqlApi, 'arrow'> | null;
  readonly identity: Identity;
  readonly streams: OpenStreams;
}

/** The semantic layer for data people: a SELECT over cubes and views, answered in Arrow's streaming format. */
export function arrowRoutes({ sql, identity, streams }: ArrowRoutesContext): Route[] {
  if (!sql) return [];
  return [
    route({
      method: 'POST',
      path: '/api/v1/semantic/sql',
      summary:
        'Ask the semantic layer in SQL, as on the SQL API; the answer is a stream of Arrow record batches',
      scope: 'read',
      tenantSafe: true,
      audit: false,
      body: z.strictObject({
        sql: z.string().trim().min(1).max(200_000),
        /** Values of `$1` ... */
        parameters: z
          .array(z.union([z.string().max(10_000), z.number(), z.boolean(), z.null()]))
          .max(1000)
          .default([]),
      }),
      answer: 'Arrow’s IPC streaming format; freshness is in the schema’s metadata.',
      contentType: ARROW,
      handle: async ({ request, reply, principal, body, signal }) => {
        const bound = { ...principal, tenant: await identity.tenantOf(request, principal) };
        const answer = await sql.arrow(bound, body.sql, body.parameters, signal);
        await streamed(
          { request, reply, signal },
          streams,
          ARROW,
          Readable.from(answer, { objectMode: false }),
        );
      },
    }),
  ];
}
