import { z } from 'zod';
import { type Route, route } from '../route.ts';
import type { RecordsOf } from './routes.ts';

const id = z.string().regex(/^\d{1,19}$/);
const entity = z.string().regex(/^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,39}$/);
const texts = z.array(z.string().max(200));

/** What is the caller's own: filters kept under a name, and notifications. */
export const personalRoutes = (records: RecordsOf): Route[] => [
  route({
    method: 'GET',
    path: '/api/v1/saved-filters',
    summary: 'Filters of an entity that the caller has saved or others share',
    scope: 'read',
    query: z.strictObject({ entity: entity.describe('`app.entity`.') }),
    answer:
      '`filters`: one’s own first. Others’ that name fields one may not see are left out; one’s own then come empty, with `problem`.',
    handle: async ({ query, request, principal, client }) => ({
      filters: await (await records(request, principal, client)).savedFilters.list(query.entity),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/saved-filters',
    summary: 'Saves filter, order and columns of a list under a name, in place of one’s own of that name',
    scope: 'write',
    body: z.strictObject({
      entity,
      name: z.string().trim().min(1).max(100),
      filter: z.looseObject({}).nullish(),
      sort: texts.max(3).optional(),
      columns: texts.max(50).optional(),
      shared: z.boolean().optional(),
    }),
    answer: 'The saved filter.',
    handle: async ({ body, request, principal, client }) => {
      const { entity: path, name, filter, sort = [], columns = [], shared = false } = body;
      const engine = await records(request, principal, client);
      return engine.savedFilters.save(path, {
        name,
        filter: (filter ?? null) as never,
        sort,
        columns,
        shared,
      });
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/saved-filters/:id',
    summary: 'Deletes a filter of one’s own',
    scope: 'write',
    params: z.strictObject({ id }),
    answer: 'Its id.',
    handle: async ({ params, request, principal, client }) => {
      await (await records(request, principal, client)).savedFilters.delete(params.id);
      return { id: params.id };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/notifications',
    summary: 'What effects and mentions tell the caller or the caller’s roles, newest first',
    scope: 'read',
    query: z.strictObject({
      first: z.coerce.number().int().min(1).max(100).optional(),
      after: id.optional().describe('`next` of the page before.'),
    }),
    answer: '`notifications`, `next`, and `unread` of all (counted up to 100, then `unreadIsMore`).',
    handle: async ({ query, request, principal, client }) =>
      (await records(request, principal, client)).notifications.list({
        ...(query.first === undefined ? {} : { first: query.first }),
        ...(query.after === undefined ? {} : { after: query.after }),
      }),
  }),
  route({
    method: 'POST',
    path: '/api/v1/notifications/read',
    summary: 'Marks all up to and with one as read; it changes only what the caller is told',
    scope: 'read',
    body: z.strictObject({ upTo: id }),
    answer: '`unread` and `unreadIsMore`: what is left.',
    handle: async ({ body, request, principal, client }) =>
      (await records(request, principal, client)).notifications.markRead(body.upTo),
  }),
];
