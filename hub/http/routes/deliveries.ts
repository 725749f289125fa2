import { z } from 'zod';
import { listAutomationRuns, listDeliveries, resendDeliveries } from '#apps';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';

const id = z.string().regex(/^\d{1,18}$/);
const tenant = z.string().min(1).max(128).optional();
const limit = z.coerce.number().int().min(1).max(500).default(50);

/** What apps do outside of requests, for operators: webhooks of all tenants, automations by time. */
export function deliveryRoutes({ pool }: RouteContext): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/deliveries',
      summary: 'Webhooks of the apps, newest first: state, attempts, last error, next attempt',
      scope: 'admin',
      query: z.strictObject({
        state: z.enum(['waiting', 'sent', 'dead']).optional(),
        tenant,
        limit,
        cursor: id.optional(),
      }),
      answer: 'One page of `deliveries` and `next`, the cursor of the next one (null at the end).',
      handle: async ({ query: { cursor, ...query } }) => {
        const found = await listDeliveries(pool, { ...query, before: cursor, limit: query.limit + 1 });
        const deliveries = found.slice(0, query.limit);
        return { deliveries, next: found.length > query.limit ? deliveries.at(-1)!.id : null };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/deliveries/resend',
      summary: 'Dead webhooks are sent again',
      scope: 'admin',
      audit: 'delivery.resend',
      body: z
        .strictObject({
          ids: z.array(id).min(1).max(1000).optional(),
          tenant,
          all: z.literal(true).optional(),
        })
        .refine((body) => body.ids !== undefined || body.all === true, {
          message: 'Give ids, or all: true',
        }),
      answer: '`done`: how many. Those that are not dead are left as they are.',
      handle: async ({ body: { all: _, ...choice }, note }) => {
        const done = await resendDeliveries(pool, choice);
        note({
          ...(choice.tenant ? { tenant: choice.tenant } : {}),
          details: { ids: choice.ids ?? 'all', done },
        });
        return { done };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/automation-runs',
      summary: 'The last runs of automations by time',
      scope: 'admin',
      query: z.strictObject({ state: z.enum(['done', 'skipped', 'failed']).optional(), tenant, limit }),
      answer: '`runs`, newest first.',
      handle: async ({ query }) => ({ runs: await listAutomationRuns(pool, query) }),
    }),
  ];
}
