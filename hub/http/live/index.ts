import websocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import { toHubError } from '#kernel';
import type { OpenStreams } from '../streams.ts';
import { LiveConnection, type LiveContext } from './connection.ts';

const MAX_MESSAGE = 256 * 1024;
/** RFC 6455: try again later. */
const TRY_AGAIN = 1013;
const GOING_AWAY = 1001;

/**
 * `/cubejs-api/v1/live`: Cube's websocket protocol. Questions that are subscribed to are answered again when the change
 * stream says that their tables have changed, and the numbers are others.
 */
export function mountLive(app: FastifyInstance, context: LiveContext, streams: OpenStreams): void {
  app.register(websocket, { options: { maxPayload: MAX_MESSAGE } });
  app.register(async (scope) => {
    scope.get('/cubejs-api/v1/live', { websocket: true }, (socket, request) => {
      socket.on('error', () => socket.terminate());
      try {
        const release = streams.add(() => socket.close(GOING_AWAY, 'The hub is stopping.'));
        socket.once('close', release);
      } catch (thrown) {
        socket.close(TRY_AGAIN, toHubError(thrown).message);
        return;
      }
      new LiveConnection(socket, request, context);
    });
  });
}
