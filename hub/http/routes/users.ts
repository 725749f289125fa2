import { z } from 'zod';
import { type Principal, userError } from '#kernel';
import {
  addUser,
  assertMayGive,
  assertTenant,
  changeUser,
  disableTotp,
  endSessions,
  findUser,
  listUsers,
  principalOfUser,
  type UserRow,
} from '../../identity/index.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';
import * as field from './fields.ts';

const named = z.strictObject({ user: z.string().min(1).max(200) });

const rights = {
  tenant: field.tenantId.nullable().optional(),
  roles: field.roles.default([]),
  attributes: field.attributes.default({}),
  scopes: field.scopes.default(['read', 'write']),
};

const newPerson = z.strictObject({
  email: field.email,
  name: field.displayName.optional(),
  password: field.password.optional(),
  /** Name of the provider that the person will sign in at. */
  provider: z.string().max(40).optional(),
  ...rights,
});
const newService = z.strictObject({ name: field.word, ...rights });

/** People and service accounts. An administrator of a tenant sees and changes those of his tenant only. */
export function userRoutes({ pool, config }: RouteContext): Route[] {
  const mine = async (login: string, principal: Principal): Promise<UserRow> => {
    const user = await findUser(pool, login);
    if (!user || (principal.tenant !== null && user.tenant !== principal.tenant))
      throw userError('USER_NOT_FOUND', 'There is no such account.', 'See `bac users list`.');
    // Who may less than an account must not take it over.
    assertMayGive(principal, principalOfUser(user));
    return user;
  };
  const tenantFor = async (principal: Principal, asked: string | null | undefined) => {
    const tenant = asked === undefined ? principal.tenant : asked;
    if (tenant !== null && tenant !== principal.tenant) await assertTenant(pool, tenant);
    return tenant;
  };
  const act = (verb: string, summary: string, work: (user: UserRow) => Promise<unknown>): Route =>
    route({
      method: 'POST',
      path: `/api/v1/users/:user/${verb}`,
      summary,
      scope: 'administer',
      tenantSafe: true,
      audit: `user.${verb}`,
      params: named,
      answer: 'The account’s login.',
      handle: async ({ params, principal, note }) => {
        note({ entity: 'user', record: params.user });
        const user = await mine(params.user, principal);
        note({ tenant: user.tenant });
        await work(user);
        return { user: user.login };
      },
    });
  return [
    route({
      method: 'GET',
      path: '/api/v1/users',
      summary: 'People and service accounts, page by page',
      scope: 'administer',
      tenantSafe: true,
      query: z.strictObject({
        kind: z.enum(['person', 'service']).optional(),
        tenant: field.tenantId.optional(),
        after: z.string().max(200).optional(),
        limit: z.coerce.number().int().min(1).max(500).default(100),
      }),
      answer: 'One page by login, and what to give as `after` for the next (null at the end).',
      handle: async ({ query, principal }) => {
        const { tenant: asked, limit, ...rest } = query;
        const tenant = principal.tenant ?? asked ?? null;
        if (asked !== undefined && asked !== tenant) return { users: [], next: null };
        const users = await listUsers(pool, { ...rest, tenant, limit: limit + 1 });
        const page = users.slice(0, limit);
        return { users: page, next: users.length > limit ? page.at(-1)!.login : null };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/users',
      summary: 'Add a person, who signs in with a password or at a provider',
      scope: 'administer',
      tenantSafe: true,
      audit: 'user.create',
      body: newPerson,
      answer: 'The account’s id and login.',
      handle: async ({ body, principal, reply, note }) => {
        const { email, name = email, password, provider, ...given } = body;
        const wanted = { ...given, tenant: await tenantFor(principal, given.tenant) };
        note({ entity: 'user', record: email, tenant: wanted.tenant, details: { ...wanted } });
        assertMayGive(principal, wanted);
        const issuer = config.identity.issuers.find((one) => one.name === provider);
        if (provider !== undefined && !issuer)
          throw userError('PROVIDER_NOT_FOUND', 'There is no such provider.', 'See identity.issuers.');
        if ((issuer === undefined) === (password === undefined))
          throw userError(
            'PASSWORD_MISSING',
            'A person needs a password or a provider.',
            'Give one of them.',
          );
        const id = await addUser(pool, {
          kind: 'person',
          login: email,
          name,
          ...wanted,
          ...(password === undefined ? {} : { password }),
          ...(issuer ? { subject: { issuer: issuer.issuer, subject: null } } : {}),
        });
        reply.status(201);
        return { id, user: email };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/service-accounts',
      summary: 'Add a service account; it acts through API keys only, which end when it is disabled',
      scope: 'administer',
      tenantSafe: true,
      audit: 'user.create',
      body: newService,
      answer: 'The account’s id and name.',
      handle: async ({ body, principal, reply, note }) => {
        const { name, ...given } = body;
        const wanted = { ...given, tenant: await tenantFor(principal, given.tenant) };
        note({ entity: 'user', record: name, tenant: wanted.tenant, details: { ...wanted } });
        assertMayGive(principal, { ...wanted, user: name });
        const id = await addUser(pool, { kind: 'service', login: name, name, ...wanted });
        reply.status(201);
        return { id, user: name.toLowerCase() };
      },
    }),
    act('disable', 'End an account’s sessions and keys, and let it in no more', (user) =>
      changeUser(pool, user, { disabled: true }),
    ),
    act('enable', 'Let a disabled account in again', (user) => changeUser(pool, user, { disabled: false })),
    act('end-sessions', 'Sign an account out everywhere', (user) => endSessions(pool, user.id)),
    act('reset-totp', 'Take an account’s second factor away, for who has lost it', async (user) => {
      await disableTotp(pool, user.id);
      await endSessions(pool, user.id);
    }),
    route({
      method: 'POST',
      path: '/api/v1/users/:user/password',
      summary: 'Set a person’s password; all sessions end',
      scope: 'administer',
      tenantSafe: true,
      audit: 'user.password',
      params: named,
      body: z.strictObject({ password: field.password }),
      answer: 'The account’s login.',
      handle: async ({ params, body, principal, note }) => {
        note({ entity: 'user', record: params.user });
        const user = await mine(params.user, principal);
        note({ tenant: user.tenant });
        if (user.kind === 'service')
          throw userError('PASSWORD_NOT_FOR_SERVICE', 'A service account has no password.', 'Make it a key.');
        if (user.issuer !== null)
          throw userError('PASSWORD_NOT_HERE', 'The account signs in at a provider.', 'Change it there.');
        await changeUser(pool, user, { password: body.password });
        return { user: user.login };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/users/:user/rights',
      summary: 'Replace roles, attributes or scopes of an account; all sessions end',
      scope: 'administer',
      tenantSafe: true,
      audit: 'user.rights',
      params: named,
      body: z.strictObject({
        roles: field.roles.optional(),
        attributes: field.attributes.optional(),
        scopes: field.scopes.optional(),
        name: field.displayName.optional(),
      }),
      answer: 'The account’s login.',
      handle: async ({ params, body, principal, note }) => {
        note({ entity: 'user', record: params.user, details: { ...body } });
        const user = await mine(params.user, principal);
        note({ tenant: user.tenant });
        assertMayGive(principal, { ...principalOfUser(user), ...definedOf(body) });
        await changeUser(pool, user, body);
        return { user: user.login };
      },
    }),
  ];
}

const definedOf = <T extends object>(value: T): Partial<T> =>
  Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>;
