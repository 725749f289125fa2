import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HubError, userError } from '#kernel';
import {
  changeUser,
  confirmTotp,
  disableTotp,
  endSessions,
  enrolTotp,
  findUser,
  listSessions,
  reconfirm,
  type UserRow,
} from '../../identity/index.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';
import * as field from './fields.ts';

/** What a signed-in user does for himself: sessions, password, second factor. */
export function meRoutes({ pool, identity }: RouteContext): Route[] {
  const { authenticator, life, seal } = identity;
  const own = async (request: FastifyRequest): Promise<{ user: UserRow; session: string }> => {
    const known = await authenticator.identify(request);
    const user = known?.session && (await findUser(pool, known.principal.user));
    if (!user || !known?.session) {
      throw new HubError('SESSION_NEEDED', 'This is for people who have signed in with their account.', {
        next: 'Sign in with e-mail address and password, or at your provider.',
        disposition: 'user',
      });
    }
    return { user, session: known.session.id };
  };
  /** Nobody changes how an account is entered from a browser that was left open. */
  const proven = async (
    request: FastifyRequest,
    password: string,
  ): Promise<{ user: UserRow; session: string }> => {
    const at = await own(request);
    await reconfirm(pool, at.user, password, request.ip);
    return at;
  };
  return [
    route({
      method: 'GET',
      path: '/api/v1/whoami',
      summary: 'The principal of this request, and the tenant it is about',
      scope: null,
      tenantSafe: true,
      answer: 'The principal, and `via`: local, session, key or token.',
      handle: async ({ principal, request }) => ({
        ...principal,
        tenant: await identity.tenantOf(request, principal),
        via: (await authenticator.identify(request))?.via,
      }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/me/sessions',
      summary: 'One’s own sessions, and how the account is secured',
      scope: null,
      tenantSafe: true,
      answer:
        'The sessions, `current` being this one; whether the account has a password and a second factor.',
      handle: async ({ request }) => {
        const { user, session } = await own(request);
        const sessions = await listSessions(pool, user.id, life);
        return {
          sessions: sessions.map((one) => ({ ...one, current: one.id === session })),
          hasPassword: user.password !== null,
          totp: user.totp,
        };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/me/sessions',
      summary: 'Sign out everywhere, this browser included',
      scope: null,
      tenantSafe: true,
      audit: 'session.end-all',
      answer: 'How many were ended.',
      handle: async ({ request, reply }) => {
        const { user } = await own(request);
        const ended = await endSessions(pool, user.id);
        await authenticator.logout(request, reply);
        return { ended };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/me/sessions/:id',
      summary: 'End one of one’s own sessions',
      scope: null,
      tenantSafe: true,
      audit: 'session.end',
      params: z.strictObject({ id: z.uuid() }),
      answer: 'How many were ended.',
      handle: async ({ request, params }) => {
        const { user } = await own(request);
        const ended = await endSessions(pool, user.id, { id: params.id });
        if (ended === 0)
          throw userError('SESSION_NOT_FOUND', 'There is no such session.', 'Reload the list.');
        return { ended };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/me/password',
      summary: 'Change one’s own password; all sessions end, this one too',
      scope: null,
      tenantSafe: true,
      audit: 'user.password',
      body: z.strictObject({ current: field.password, next: field.password }),
      answer: '`ok`; sign in again.',
      handle: async ({ request, reply, body, note }) => {
        const { user } = await proven(request, body.current);
        note({ entity: 'user', record: user.login });
        await changeUser(pool, user, { password: body.next });
        await authenticator.logout(request, reply);
        return { ok: true };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/me/totp',
      summary: 'Begin to set up a second factor',
      scope: null,
      tenantSafe: true,
      audit: 'totp.enrol',
      body: z.strictObject({ password: field.password }),
      answer: 'The secret in base32, and the URI for a QR code.',
      handle: async ({ request, body }) => {
        const { user } = await proven(request, body.password);
        return enrolTotp(pool, seal, user, 'BAC Hub');
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/me/totp/confirm',
      summary: 'Set the second factor up with a first code',
      scope: null,
      tenantSafe: true,
      audit: 'totp.confirm',
      body: z.strictObject({ code: z.string().regex(/^\d{6}$/, 'A code has six digits') }),
      answer: 'Recovery codes, each good once; shown this once.',
      handle: async ({ request, body }) => {
        const { user, session } = await own(request);
        const recoveryCodes = await confirmTotp(pool, seal, user, body.code);
        await endSessions(pool, user.id, { but: session });
        return { recoveryCodes };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/me/totp/disable',
      summary: 'Do without the second factor',
      scope: null,
      tenantSafe: true,
      audit: 'totp.disable',
      body: z.strictObject({ password: field.password }),
      answer: '`ok`.',
      handle: async ({ request, body }) => {
        const { user } = await proven(request, body.password);
        await disableTotp(pool, user.id);
        return { ok: true };
      },
    }),
  ];
}
