import type { Readable } from 'node:stream';
import { z } from 'zod';
import { userError } from '#kernel';
import { type Route, route } from '../route.ts';
import type { RecordsOf } from './routes.ts';

const part = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/);
const record = z.strictObject({ app: part, entity: part, id: z.string().regex(/^\d{1,19}$/) });
const attachment = z.strictObject({ attachment: z.string().regex(/^[0-9a-f-]{1,36}$/) });

/** What happened to a record, what people say about it, and the files they add. */
export const timelineRoutes = (records: RecordsOf): Route[] => [
  route({
    method: 'GET',
    path: '/api/v1/records/:app/:entity/:id/timeline',
    summary: 'What happened to a record, newest first',
    scope: 'read',
    params: record,
    query: z.strictObject({
      first: z.coerce.number().int().min(1).max(200).optional(),
      after: z.string().max(200).optional(),
    }),
    answer: '`entries`; the id of the last one is `after` of the next page.',
    handle: async ({ params, query, request, principal, client }) => ({
      entries: await (await records(request, principal, client)).timeline.list(
        `${params.app}.${params.entity}`,
        params.id,
        {
          ...(query.first === undefined ? {} : { first: query.first }),
          ...(query.after === undefined ? {} : { after: query.after }),
        },
      ),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/records/:app/:entity/:id/comments',
    summary: 'Adds a comment; `@user@company.example` in it notifies that user, if they may read the record',
    scope: 'write',
    params: record,
    body: z.strictObject({ text: z.string().trim().min(1).max(20_000) }),
    answer: 'The comment.',
    handle: async ({ params, body, request, reply, principal, client }) => {
      const engine = await records(request, principal, client);
      reply.status(201);
      return engine.timeline.comment(`${params.app}.${params.entity}`, params.id, body.text);
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/records/:app/:entity/:id/attachments',
    summary: 'Files of a record',
    scope: 'read',
    params: record,
    answer: '`attachments`.',
    handle: async ({ params, request, principal, client }) => ({
      attachments: await (await records(request, principal, client)).timeline.attachments(
        `${params.app}.${params.entity}`,
        params.id,
      ),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/records/:app/:entity/:id/attachments',
    summary: 'Adds the file that is the request’s body',
    scope: 'write',
    params: record,
    query: z.strictObject({
      name: z.string().trim().min(1).max(255),
      type: z
        .string()
        .regex(/^[\w.+-]+\/[\w.+-]+$/)
        .max(100)
        .default('application/octet-stream'),
    }),
    answer: 'The attachment.',
    handle: async ({ params, query, request, reply, principal, client }) => {
      if (!request.headers['content-type']?.startsWith('application/octet-stream'))
        throw userError(
          'REQUEST_INVALID',
          'A file is sent as application/octet-stream.',
          'Its own type goes into `type`.',
        );
      const engine = await records(request, principal, client);
      reply.status(201);
      return engine.timeline.attach(`${params.app}.${params.entity}`, params.id, {
        ...query,
        content: request.body as Readable,
      });
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/attachments/:attachment',
    summary: 'A file’s content',
    scope: 'read',
    params: attachment,
    answer: 'The bytes.',
    contentType: 'application/octet-stream',
    handle: async ({ params, request, reply, principal, client }) => {
      const { info, content } = await (await records(request, principal, client)).timeline.open(
        params.attachment,
      );
      // Whatever it is, a browser must not run it under the hub's own address.
      reply
        .header('content-type', 'application/octet-stream')
        .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(info.name)}`)
        .header('content-security-policy', "sandbox; default-src 'none'")
        .header('content-length', info.bytes);
      reply.send(content);
      return undefined;
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/attachments/:attachment',
    summary: 'Takes a file away',
    scope: 'write',
    params: attachment,
    answer: 'Its id.',
    handle: async ({ params, request, principal, client }) => {
      await (await records(request, principal, client)).timeline.detach(params.attachment);
      return { id: params.attachment };
    },
  }),
];
