import { z } from 'zod';
import { userError } from '#kernel';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';

const name = z.string().min(1).max(128).optional();
const place = { source: name, schema: name, table: name };

const listQuery = z.strictObject({
  ...place,
  state: z.enum(['open', 'replayed', 'discarded', 'all']).default('open'),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  cursor: z.string().max(200).optional(),
});

const choice = z
  .strictObject({
    ids: z.array(z.uuid()).min(1).max(1000).optional(),
    ...place,
    all: z.literal(true).optional(),
  })
  .refine((body) => body.ids !== undefined || body.source !== undefined || body.all === true, {
    message: 'Give ids, a source, or all: true',
  });

/** Longest piece of a key or value shown. */
const SHOWN = 4096;

interface Row {
  id: string;
  source: string;
  schema: string;
  table: string;
  topic: string;
  partition: number;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  valueBytes: number | null;
  code: string;
  error: string;
  state: string;
  createdAt: Date;
  resolvedAt: Date | null;
  cursor: string;
}

const LIST = `SELECT id, source, schema_name AS schema, table_name AS "table", topic, partition,
  log_offset::text AS "offset", substring(key FOR ${SHOWN}) AS key,
  substring(value FOR ${SHOWN}) AS value, length(value) AS "valueBytes",
  error_code AS code, error, state, created_at AS "createdAt", resolved_at AS "resolvedAt",
  to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '_' || id AS cursor
  FROM bac.dead_letters
  WHERE ($1 = 'all' OR state = $1) AND ($2::text IS NULL OR source = $2)
    AND ($3::text IS NULL OR schema_name = $3) AND ($4::text IS NULL OR table_name = $4)
    AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6::uuid))
  ORDER BY created_at DESC, id DESC LIMIT $7`;

/** Rows that could not be stored: see them, send them again, or give them up. */
export function deadLetterRoutes({ pool, services }: RouteContext): Route[] {
  const resolve = (verb: 'replay' | 'discard', summary: string): Route =>
    route({
      method: 'POST',
      path: `/api/v1/deadletters/${verb}`,
      summary,
      scope: 'write',
      body: choice,
      answer: 'How many were done.',
      handle: async ({ body: { all: _, ...chosen } }) => ({ done: await services.deadLetters[verb](chosen) }),
    });
  return [
    route({
      method: 'GET',
      path: '/api/v1/deadletters',
      summary: 'Dead letters, newest first, page by page',
      scope: 'read',
      query: listQuery,
      answer: 'One page and the cursor of the next (null at the end).',
      handle: async ({ query }) => {
        const [at, id] = splitCursor(query.cursor);
        const { rows } = await pool.query<Row>(LIST, [
          query.state,
          query.source ?? null,
          query.schema ?? null,
          query.table ?? null,
          at,
          id,
          query.limit + 1,
        ]);
        const page = rows.slice(0, query.limit);
        return {
          deadLetters: page.map(({ cursor: _, ...row }) => ({
            ...row,
            key: text(row.key),
            value: text(row.value),
          })),
          next: rows.length > query.limit ? page.at(-1)!.cursor : null,
        };
      },
    }),
    resolve('replay', 'Send dead letters through the sink again'),
    resolve('discard', 'Give dead letters up; they stay on record as discarded'),
  ];
}

/** Bytes for people: bad UTF-8 shows as replacement characters, the kept bytes stay as they are. */
const text = (bytes: Buffer | null): string | null => (bytes === null ? null : bytes.toString('utf8'));

function splitCursor(cursor: string | undefined): [string | null, string | null] {
  if (cursor === undefined) return [null, null];
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)_([0-9a-f-]{36})$/.exec(cursor);
  if (!match)
    throw userError('REQUEST_INVALID', 'The cursor is not one of ours.', 'Start again without a cursor.');
  return [match[1]!, match[2]!];
}
