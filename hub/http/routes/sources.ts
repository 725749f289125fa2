import { z } from 'zod';
import { assertName, HubError, userError } from '#kernel';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';

const NAME = z.string().min(1).max(40);
const TABLE = z.string().trim().min(1).max(200);
const named = z.strictObject({ name: NAME });

const newSource = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,39}$/, 'Use a lower-case letter, then up to 39 letters, digits or underscores'),
  url: z
    .string()
    .max(2000)
    .refine(
      (url) =>
        URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol) && new URL(url).hostname !== '',
      'Give a URL like postgres://user:password@host:5432/database',
    ),
  kind: z.enum(['postgres', 'yugabytedb']).default('postgres'),
  tables: z.array(TABLE).min(1, 'Name at least one table, or leave the list out').max(5000).optional(),
  engine: z.enum(['native', 'debezium']).default('native'),
  debezium: z
    .strictObject({
      snapshot: z.enum(['hub', 'debezium']).optional(),
      connector: z
        .record(z.string().max(200), z.union([z.string().max(2000), z.number(), z.boolean()]))
        .optional(),
    })
    .optional(),
});

/** Sources: what is captured from where. */
export function sourceRoutes({ collector, services, pool, registry }: RouteContext): Route[] {
  const mustExist = async (name: string): Promise<void> => {
    const { rowCount } = await pool.query('SELECT 1 FROM bac.sources WHERE name = $1', [name]);
    if (!rowCount) {
      throw new HubError('SOURCE_NOT_FOUND', `There is no source "${name}".`, {
        next: 'See `bac connect list`.',
        disposition: 'user',
      });
    }
  };
  const act = (verb: 'pause' | 'resume', summary: string): Route =>
    route({
      method: 'POST',
      path: `/api/v1/sources/:name/${verb}`,
      summary,
      scope: 'write',
      params: named,
      answer: 'The source’s name.',
      handle: async ({ params }) => {
        await mustExist(params.name);
        await services.sources[verb](params.name);
        collector.changed();
        return { name: params.name };
      },
    });
  return [
    route({
      method: 'GET',
      path: '/api/v1/sources',
      summary: 'All sources with their tables',
      scope: 'read',
      answer: 'The sources part of the status document.',
      handle: async () => ({ sources: (await collector.status()).sources }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/sources',
      summary: 'Start capturing a database',
      scope: 'write',
      body: newSource,
      answer: 'The source’s name; its tables appear in the status as they are found.',
      handle: async ({ body, reply }) => {
        assertName('Source', body.name);
        const { rowCount } = await pool.query('SELECT 1 FROM bac.sources WHERE name = $1', [body.name]);
        if (rowCount) {
          throw userError(
            'SOURCE_EXISTS',
            `There is a source "${body.name}" already.`,
            'Choose another name.',
          );
        }
        await services.sources.add(body);
        collector.changed();
        reply.status(201);
        return { name: body.name };
      },
    }),
    act('pause', 'Stop reading; the slot keeps the changes at the source'),
    act('resume', 'Go on where reading stopped'),
    route({
      method: 'POST',
      path: '/api/v1/sources/:name/resnapshot',
      summary: 'Copy tables afresh while changes go on; readers see the old rows until the new are complete',
      scope: 'write',
      params: named,
      body: z.strictObject({ tables: z.array(TABLE).min(1).max(5000).optional() }),
      answer: 'The source’s name.',
      handle: async ({ params, body }) => {
        await mustExist(params.name);
        const known = new Set(
          (await registry.tables(params.name)).map((entry) => `${entry.schema}.${entry.table}`),
        );
        const tables = body.tables?.map((table) => (table.includes('.') ? table : `public.${table}`));
        const unknown = tables?.find((table) => !known.has(table));
        if (unknown) {
          throw userError(
            'TABLE_NOT_FOUND',
            `Source "${params.name}" has no table ${unknown}.`,
            'See `bac status`.',
          );
        }
        await services.sources.resnapshot(params.name, tables);
        return { name: params.name };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/sources/:name/schedule',
      summary: 'How often the tables are compared with their source by themselves',
      scope: 'write',
      params: named,
      body: z.strictObject({
        /** 0 = never; null = as configured. */
        everyHours: z.number().min(0).max(8784).nullable(),
        repair: z.boolean().optional(),
      }),
      answer: 'The source’s name.',
      handle: async ({ params, body }) => {
        await mustExist(params.name);
        const { everyHours, repair } = body;
        const asked = {
          ...(everyHours === null ? {} : { everyHours }),
          ...(repair === undefined ? {} : { repair }),
        };
        await services.sources.schedule(params.name, Object.keys(asked).length === 0 ? null : asked);
        return { name: params.name };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/sources/:name',
      summary: 'Stop capturing for good and drop the slot; warehouse tables stay unless `dropTables`',
      scope: 'admin',
      params: named,
      query: z.strictObject({ dropTables: z.enum(['true', 'false']).default('false') }),
      answer: 'The source’s name.',
      handle: async ({ params, query }) => {
        await mustExist(params.name);
        await services.sources.remove(params.name, { dropTables: query.dropTables === 'true' });
        collector.changed();
        return { name: params.name };
      },
    }),
  ];
}
