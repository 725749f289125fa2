import { z } from 'zod';
import { allows, HubError } from '#kernel';
import { createApiKey, listApiKeys, revokeApiKey } from '../keys.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';

const word = z.string().regex(/^[A-Za-z0-9_.:@-]{1,80}$/, 'Use 1 to 80 letters, digits or . : @ _ -');

/** API keys. A key never gives more than its maker has. */
export function keyRoutes({ pool }: RouteContext): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/keys',
      summary: 'API keys without their secrets',
      scope: 'admin',
      answer: 'The keys.',
      handle: async () => ({ keys: await listApiKeys(pool) }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/keys',
      summary: 'Make an API key; its text is shown this once',
      scope: 'admin',
      body: z.strictObject({
        user: word,
        tenant: word.nullable().default(null),
        roles: z.array(word).max(20).default([]),
        attributes: z.record(word, z.union([z.string().max(500), z.number(), z.boolean()])).default({}),
        scopes: z
          .array(z.enum(['read', 'write', 'admin']))
          .min(1)
          .max(3)
          .default(['read']),
      }),
      answer: 'The key’s id and text.',
      handle: async ({ body, principal, reply }) => {
        if (body.user.startsWith('system:') || body.roles.includes('system')) {
          throw new HubError('FORBIDDEN', '"system" is the hub itself.', {
            next: 'Choose another name.',
            disposition: 'user',
          });
        }
        const excess = body.scopes.find((scope) => !allows(principal, scope));
        if (excess)
          throw new HubError('FORBIDDEN', `You do not have "${excess}" yourself.`, { disposition: 'user' });
        const key = await createApiKey(pool, body);
        reply.status(201);
        return { id: key.split('.')[0], key };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/keys/:id',
      summary: 'Revoke an API key and the sessions opened with it',
      scope: 'admin',
      params: z.strictObject({ id: z.string().regex(/^[0-9a-f]{12}$/, 'A key id has 12 hex digits') }),
      answer: 'The key’s id.',
      handle: async ({ params }) => {
        await revokeApiKey(pool, params.id);
        return { id: params.id };
      },
    }),
  ];
}
