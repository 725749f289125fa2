import { createServer, type Server } from 'node:http';
import { exchange, type Front } from './exchange.ts';

const MAX_HEADER_BYTES = 1024 * 1024;

/** ClickHouse's HTTP interface: `/` for statements, `/ping` and `/replicas_status` for health. */
export function createFront(front: () => Front | null): Server {
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 65_000, requestTimeout: 0, noDelay: true },
    (request, response) => {
      response.once('close', () => {
        if (!server.listening) server.closeIdleConnections();
      });
      const ready = front();
      const path = (request.url ?? '/').split('?', 1)[0];
      if (!ready) {
        response.writeHead(503, { 'Content-Type': 'text/plain', 'Retry-After': '1' }).end('Starting.\n');
      } else if (path === '/ping' || path === '/replicas_status') {
        response.writeHead(200, { 'Content-Type': 'text/plain; charset=UTF-8' }).end('Ok.\n');
      } else if (path === '/' && request.method !== undefined && METHODS.has(request.method)) {
        void exchange(ready, request, response);
      } else {
        response.writeHead(404, { 'Content-Type': 'text/plain' }).end(`There is no handle ${path}\n`);
      }
    },
  );
  return server;
}

const METHODS = new Set(['GET', 'POST', 'HEAD']);
