import { z } from 'zod';
import { readAudit } from '../../identity/index.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';
import * as field from './fields.ts';

const text = z.string().min(1).max(200).optional();
const instant = z.iso.datetime({ offset: true }).optional();

/** The audit trail. */
export function auditRoutes({ pool }: RouteContext): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/audit',
      summary: 'What was done and what was refused, newest first; for an administrator of a tenant its own',
      scope: 'administer',
      tenantSafe: true,
      query: z.strictObject({
        tenant: field.tenantId.optional(),
        actor: text,
        action: text,
        entity: text,
        outcome: z.enum(['ok', 'denied', 'failed']).optional(),
        since: instant,
        until: instant,
        limit: z.coerce.number().int().min(1).max(500).default(100),
        cursor: z.string().max(200).optional(),
      }),
      answer: 'One page and the cursor of the next (null at the end).',
      handle: async ({ query, principal }) => {
        const tenant = principal.tenant ?? query.tenant ?? null;
        if (query.tenant !== undefined && query.tenant !== tenant) return { entries: [], next: null };
        return readAudit(pool, { ...query, tenant });
      },
    }),
  ];
}
