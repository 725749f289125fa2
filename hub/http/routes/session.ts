import { z } from 'zod';
import { audit, type Principal, userError } from '#kernel';
import { checkCredentials, principalOfUser, unauthorised } from '../../identity/index.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';

/** An API key, or a user's e-mail address and password. */
const credentials = z.strictObject({
  key: z.string().trim().min(1).max(200).optional(),
  email: z.string().trim().min(1).max(200).optional(),
  password: z.string().min(1).max(256).optional(),
  code: z.string().trim().max(40).optional(),
});

const shown = ({ user, tenant, roles, scopes }: Principal) => ({ user, tenant, roles, scopes });

/** The browser's session: who is signed in, signing in and out. */
export function sessionRoutes({ pool, identity }: RouteContext): Route[] {
  const { authenticator } = identity;
  return [
    route({
      method: 'GET',
      path: '/api/v1/session',
      summary: 'Who is signed in, and how',
      scope: null,
      tenantSafe: true,
      answer: 'User, tenant, roles, scopes, and `via`: local, session, key or token.',
      handle: async ({ request, principal }) => {
        const known = await authenticator.identify(request);
        return { ...shown(principal), via: known?.via, account: known?.session !== undefined };
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/session',
      summary: 'Sign in with a key, or with e-mail address, password and, where enrolled, code',
      scope: null,
      public: true,
      body: credentials,
      answer: 'Who is signed in; the session is in a cookie.',
      handle: async ({ body, request, reply }) => {
        authenticator.assertOwnPage(request);
        const from = { address: request.ip, requestId: request.id };
        if (body.key !== undefined) {
          const principal = await authenticator.login(request, reply, body.key);
          if (!principal) {
            await audit(pool, {
              principal: null,
              actor: 'unknown',
              surface: 'http',
              action: 'sign-in',
              outcome: 'failed',
              code: 'UNAUTHORISED',
              ...from,
            });
            throw unauthorised('That key is not valid.');
          }
          await signedIn(principal, 'key');
          return shown(principal);
        }
        const { email, password, code } = body;
        if (email === undefined || password === undefined)
          throw userError('REQUEST_INVALID', 'Give a key, or email and password.', 'Complete the request.');
        const user = await checkCredentials(pool, identity.seal, { email, password, code }, from);
        await authenticator.open(request, reply, user, 'password');
        const principal = principalOfUser(user);
        await signedIn(principal, 'password');
        return shown(principal);

        function signedIn(who: Principal, via: string): Promise<void> {
          const entry = { principal: who, surface: 'http', action: 'sign-in', outcome: 'ok' } as const;
          return audit(pool, { ...entry, ...from, details: { via } });
        }
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/session',
      summary: 'Sign out',
      scope: null,
      public: true,
      answer: '`ok`, whether or not there was a session.',
      handle: async ({ request, reply }) => {
        const known = await authenticator.principal(request).catch(() => null);
        await authenticator.logout(request, reply);
        if (known)
          await audit(pool, {
            principal: known,
            surface: 'http',
            action: 'sign-out',
            outcome: 'ok',
            requestId: request.id,
            address: request.ip,
          });
        return { ok: true };
      },
    }),
  ];
}
