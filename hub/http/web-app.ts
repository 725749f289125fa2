import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HubError } from '#kernel';
import type { Authenticator } from '../identity/index.ts';

const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/** Paths that are never pages: an unknown one is a 404 in JSON. */
const NOT_PAGES = /^\/(api|assets|graphql|cubejs-api|events|mcp|metrics|healthz|readyz)(\/|$)/;

/**
 * The built web app at `/`; any other path that is not an API's gets the same page, which routes
 * by itself. Serving the page is what lets a loopback visitor in (see hub/identity).
 */
export async function serveWebApp(
  app: FastifyInstance,
  root: string,
  authenticator: Authenticator,
): Promise<void> {
  if (existsSync(join(root, 'assets'))) {
    await app.register(fastifyStatic, {
      root: join(root, 'assets'),
      prefix: '/assets/',
      immutable: true,
      maxAge: '365d',
      decorateReply: false,
    });
  }
  const page = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const file = join(root, 'index.html');
    if (!existsSync(file)) {
      throw new HubError('WEB_APP_MISSING', 'The web app has not been built.', {
        next: 'Run `npx vite build dashboards/web`; `bac up` does so by itself.',
        disposition: 'transient',
      });
    }
    await authenticator.welcome(request, reply);
    return reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', POLICY)
      .header('cache-control', 'no-store')
      .send(await readFile(file));
  };
  app.get('/', page);
  app.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?', 1)[0]!;
    if ((request.method === 'GET' || request.method === 'HEAD') && !NOT_PAGES.test(path))
      return page(request, reply);
    throw new HubError('NOT_FOUND', `There is nothing at ${request.method} ${path}.`, {
      next: 'See /api/v1/openapi.json for what there is.',
      disposition: 'user',
    });
  });
}
