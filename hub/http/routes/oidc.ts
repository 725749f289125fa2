import { z } from 'zod';
import { presentable, statusOf } from '../problem.ts';
import { type Route, route } from '../route.ts';
import type { RouteContext } from './context.ts';

const part = z.string().max(4_000).optional();

/** Signing in at an OpenID provider. */
export function oidcRoutes({ identity }: RouteContext): Route[] {
  const { oidc } = identity;
  return [
    route({
      method: 'GET',
      path: '/api/v1/oidc',
      summary: 'Providers that people can sign in at',
      scope: null,
      public: true,
      answer: 'Name and label of each.',
      handle: async () => ({ providers: oidc.providers }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/oidc/:name/start',
      summary: 'Go to the provider (a redirect, for browsers)',
      scope: null,
      public: true,
      params: z.strictObject({ name: z.string().max(30) }),
      answer: 'Nothing; 303.',
      handle: async ({ params, request, reply }) => {
        reply.redirect(await oidc.start(request, reply, params.name), 303);
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/oidc/callback',
      summary: 'The way back from the provider',
      scope: null,
      public: true,
      query: z.looseObject({ state: part, code: part, iss: part, error: part }),
      answer: 'A page that goes on to the hub.',
      contentType: 'text/html',
      handle: async ({ query, request, reply }) => {
        let page = onward;
        try {
          await oidc.finish(request, reply, query);
        } catch (thrown) {
          const error = presentable(thrown);
          request.log.warn({ err: thrown, code: error.code }, 'sign-in at a provider failed');
          reply.status(statusOf(error));
          page = problemPage(error.message, error.next ?? '');
        }
        reply
          .header('content-type', 'text/html; charset=utf-8')
          .header('content-security-policy', "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
          .send(page);
      },
    }),
  ];
}

/**
 * A page of the hub's own that goes on by itself: a redirect would still count as coming from the
 * provider's site, and the browser would hold the session's cookie back.
 */
const onward =
  '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>BAC Hub</title><p><a href="/">Go on</a>';

const problemPage = (message: string, next: string): string =>
  `<!doctype html><title>BAC Hub</title><h1>Not signed in</h1><p>${escaped(message)}</p><p>${escaped(next)}</p><p><a href="/">Back</a>`;

const escaped = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
