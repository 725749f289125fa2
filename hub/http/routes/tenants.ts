import { z } from 'zod';
import { addTenant, listTenants, tenantDenied } from '../../identity/index.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';
import { displayName, tenantId } from './fields.ts';

/** Tenants: the companies whose rows are kept apart. */
export function tenantRoutes({ pool }: RouteContext): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/tenants',
      summary: 'Tenants; for a principal of one tenant that one',
      scope: 'read',
      tenantSafe: true,
      answer: 'The tenants.',
      handle: async ({ principal }) => ({ tenants: await listTenants(pool, principal.tenant) }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/tenants',
      summary: 'Add a tenant',
      scope: 'admin',
      tenantSafe: true,
      audit: 'tenant.create',
      body: z.strictObject({ id: tenantId, name: displayName.optional() }),
      answer: 'The tenant’s id.',
      handle: async ({ body, principal, reply, note }) => {
        if (principal.tenant !== null) throw tenantDenied();
        await addTenant(pool, { id: body.id, name: body.name ?? body.id });
        note({ entity: 'tenant', record: body.id, tenant: body.id });
        reply.status(201);
        return { id: body.id };
      },
    }),
  ];
}
