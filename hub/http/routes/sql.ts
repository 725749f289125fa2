import { z } from 'zod';
import { HubError } from '#kernel';
import { type Route, route } from '../route.ts';
import { streamed } from '../streamed.ts';
import type { RouteContext } from './context.ts';

const CONTENT_TYPE: readonly (readonly [RegExp, string])[] = [
  [/^JSON(Compact|Columns|Strings)?$/i, 'application/json'],
  [/EachRow/i, 'application/x-ndjson'],
  [/^CSV/i, 'text/csv; charset=utf-8'],
  [/^(TabSeparated|TSV)/i, 'text/tab-separated-values; charset=utf-8'],
  [/^(Parquet|Arrow|ORC|Native|RowBinary|Avro|BSON|MsgPack)/i, 'application/octet-stream'],
];

const AT_ONCE = 16;
/**
 * `readonly` 1, not 2: a query's own SETTINGS clause must not lift the limits below, and functions that
 * reach beyond the warehouse (file, url, remote, postgresql) are refused by ClickHouse itself.
 */
const LIMITS = { readonly: 1, max_execution_time: 60, max_result_bytes: 1_073_741_824 } as const;

/** SQL on the warehouse, read-only, answered as ClickHouse writes it. */
export function sqlRoutes({ warehouse, streams }: RouteContext): Route[] {
  let running = 0;
  return [
    route({
      method: 'POST',
      path: '/api/v1/sql',
      summary: 'Run a read-only query in the warehouse; the result is streamed in any ClickHouse format',
      scope: 'read',
      audit: false,
      body: z.strictObject({
        sql: z.string().trim().min(1).max(500_000),
        format: z
          .string()
          .regex(/^[A-Za-z][A-Za-z0-9]{0,60}$/)
          .default('JSON'),
      }),
      answer: 'The result in the format asked for.',
      contentType: '*/*',
      handle: async ({ body, reply, request, signal }) => {
        if (running >= AT_ONCE) {
          throw new HubError('BUSY', `${AT_ONCE} queries are running.`, {
            next: 'Try again in a moment.',
            disposition: 'transient',
          });
        }
        running += 1;
        try {
          const { sql, format } = splitFormat(body.sql, body.format);
          const result = await warehouse.stream(sql, format, { settings: LIMITS, signal });
          const type =
            CONTENT_TYPE.find(([pattern]) => pattern.test(format))?.[1] ?? 'text/plain; charset=utf-8';
          await streamed({ request, reply, signal }, streams, type, result);
        } finally {
          running -= 1;
        }
      },
    }),
  ];
}

/** Lets a query end in `;` or name its FORMAT itself, as people paste it. */
function splitFormat(text: string, fallback: string): { sql: string; format: string } {
  const sql = text.replace(/[;\s]+$/, '');
  const match = /\sFORMAT\s+([A-Za-z][A-Za-z0-9]*)$/i.exec(sql);
  return match ? { sql: sql.slice(0, match.index), format: match[1]! } : { sql, format: fallback };
}
