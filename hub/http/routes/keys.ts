import { z } from 'zod';
import { userError } from '#kernel';
import {
  assertMayGive,
  assertTenant,
  createApiKey,
  findUser,
  listApiKeys,
  principalOfUser,
  revokeApiKey,
} from '../../identity/index.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';
import * as field from './fields.ts';

/** Furthest expiry that means anything: ten years. */
const LONGEST_DAYS = 3660;

const newKey = z
  .strictObject({
    /** Whom the key stands for, by itself ... */
    user: field.word.optional(),
    /** ... or the account whose rights bound its own. */
    owner: z.string().min(1).max(200).optional(),
    name: field.displayName.optional(),
    tenant: field.tenantId.nullable().optional(),
    roles: field.roles.optional(),
    attributes: field.attributes.optional(),
    scopes: field.scopes.min(1).optional(),
    expiresAt: z.iso
      .datetime({ offset: true })
      .transform((text) => new Date(text))
      .refine((at) => at.getTime() > Date.now(), 'lies in the past')
      .refine((at) => at.getTime() < Date.now() + LONGEST_DAYS * 86_400_000, 'is more than ten years away')
      .optional(),
  })
  .refine(({ user, owner }) => (user === undefined) !== (owner === undefined), {
    message: 'Give a user, or the owner it belongs to',
    path: ['user'],
  });

/** API keys. A key never gives more than its maker has, nor more than its owner. */
export function keyRoutes({ pool }: RouteContext): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/keys',
      summary: 'API keys without their secrets; for an administrator of a tenant those of the tenant',
      scope: 'administer',
      tenantSafe: true,
      answer: 'The keys.',
      handle: async ({ principal }) => ({ keys: await listApiKeys(pool, principal.tenant) }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/keys',
      summary: 'Make an API key; its text is shown this once',
      scope: 'administer',
      tenantSafe: true,
      audit: 'key.create',
      body: newKey,
      answer: 'The key’s id and text.',
      handle: async ({ body, principal, reply, note }) => {
        const owner = body.owner === undefined ? null : await findUser(pool, body.owner);
        if (body.owner !== undefined && (!owner || (principal.tenant ?? owner.tenant) !== owner.tenant))
          throw userError('USER_NOT_FOUND', 'There is no such account.', 'See `bac users list`.');
        const of = owner ? principalOfUser(owner) : null;
        if (of && body.tenant !== undefined && body.tenant !== of.tenant)
          throw userError('REQUEST_INVALID', 'A key’s tenant is its owner’s.', 'Leave the tenant out.');
        const wanted = {
          user: of?.user ?? body.user!,
          tenant: of ? of.tenant : body.tenant === undefined ? principal.tenant : body.tenant,
          roles: body.roles ?? of?.roles ?? [],
          attributes: body.attributes ?? of?.attributes ?? {},
          scopes: body.scopes ?? of?.scopes ?? ['read'],
        };
        note({ entity: 'key', tenant: wanted.tenant, details: { ...wanted, name: body.name } });
        assertMayGive(principal, wanted);
        if (wanted.tenant !== null) await assertTenant(pool, wanted.tenant);
        const key = await createApiKey(pool, wanted, {
          name: body.name,
          owner: owner?.id,
          madeBy: principal.user,
          expiresAt: body.expiresAt,
        });
        const id = key.split('.')[0]!;
        note({ record: id });
        reply.status(201);
        return { id, key, expiresAt: body.expiresAt?.toISOString() ?? null };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/keys/:id',
      summary: 'Revoke an API key and the sessions opened with it',
      scope: 'administer',
      tenantSafe: true,
      audit: 'key.revoke',
      params: z.strictObject({ id: z.string().regex(/^[0-9a-f]{12}$/, 'A key id has 12 hex digits') }),
      answer: 'The key’s id.',
      handle: async ({ params, principal, note }) => {
        note({ entity: 'key', record: params.id });
        await revokeApiKey(pool, params.id, principal.tenant);
        return { id: params.id };
      },
    }),
  ];
}
