import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { BulkOperation, Client, Records, Values } from '#apps';
import { HubError, type Principal } from '#kernel';
import { type Route, route } from '../route.ts';
import { sendRecord, writeOptions } from './conditions.ts';
import { listParameters, selected, toListQuery } from './query.ts';

const part = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/);
const id = z.string().regex(/^\d{1,19}$/);
const entity = z.strictObject({ app: part, entity: part });
const record = entity.extend({ id });
const named = record.extend({ name: part });
const values = z.looseObject({});
const fields = z.strictObject({ fields: listParameters.shape.fields });

/** Acts for a request: its principal, bound to one tenant. */
export type RecordsOf = (request: FastifyRequest, principal: Principal, client: Client) => Promise<Records>;

const pathOf = (params: { readonly app: string; readonly entity: string }): string =>
  `${params.app}.${params.entity}`;

/**
 * Records of all apps over REST: the same engine, rights and errors as GraphQL. `ETag` and `If-Match` carry a
 * record's version, `Idempotency-Key` makes a write safe to send again.
 */
export const recordRoutes = (records: RecordsOf): Route[] => [
  ...reads(records),
  ...writes(records),
  ...operations(records),
];

const reads = (records: RecordsOf): Route[] => [
  route({
    method: 'GET',
    path: '/api/v1/records/:app/:entity',
    summary: 'A page of records: filtered, sorted, searched',
    scope: 'read',
    params: entity,
    query: listParameters,
    answer:
      '`records`; `next` (for `after`) and `previous` (for `before`) where there are more; `end`, to ask later for what has come since.',
    handle: async ({ params, query, request, principal, client }) => {
      const wanted = toListQuery(query);
      const page = await (await records(request, principal, client)).list(pathOf(params), wanted);
      const further = wanted.after !== undefined;
      return {
        records: page.rows.map((row) => row.record),
        end: page.rows.at(-1)?.cursor ?? null,
        next: (wanted.backward ? further : page.hasMore) ? (page.rows.at(-1)?.cursor ?? null) : null,
        previous: (wanted.backward ? page.hasMore : further) ? (page.rows[0]?.cursor ?? null) : null,
        ...(page.total === undefined ? {} : { total: page.total, totalIsMore: page.totalIsMore ?? false }),
      };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/records/:app/:entity/:id',
    summary: 'One record',
    scope: 'read',
    params: record,
    query: fields,
    answer: 'The record, with its version as ETag.',
    handle: async ({ params, query, request, reply, principal, client }) => {
      const engine = await records(request, principal, client);
      const found = await engine.get(pathOf(params), params.id, selected(query.fields).select);
      if (!found) throw notFound(params);
      return sendRecord(request, reply, found);
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/records/:app/:entity/aggregate',
    summary: 'Figures over records: counts, sums, by fields and periods',
    scope: 'read',
    params: entity,
    body: z.strictObject({
      filter: z.looseObject({}).optional(),
      by: z.array(z.string().max(100)).max(5).optional(),
      measures: z.array(z.string().max(100)).min(1).max(20),
      limit: z.int().min(1).max(10_000).optional(),
    }),
    answer: '`rows`.',
    handle: async ({ params, body, request, principal, client }) => {
      const { filter, by, measures, limit } = body;
      const rows = await (await records(request, principal, client)).aggregate(pathOf(params), {
        measures,
        ...(filter ? { filter: filter as never } : {}),
        ...(by ? { by } : {}),
        ...(limit === undefined ? {} : { limit }),
      });
      return { rows };
    },
  }),
  route({
    method: 'GET',
    path: '/api/v1/search',
    summary: 'Records of all apps whose search fields have a text',
    scope: 'read',
    query: z.strictObject({
      text: z.string().trim().min(1).max(200),
      entities: z.string().max(2000).optional().describe('`app.entity`, comma separated; all if absent.'),
      limit: z.coerce.number().int().min(1).max(100).optional(),
    }),
    answer: '`hits`: entity, id and title, best first.',
    handle: async ({ query, request, principal, client }) => ({
      hits: await (await records(request, principal, client)).search(query.text, {
        ...(query.entities ? { entities: query.entities.split(',') } : {}),
        ...(query.limit === undefined ? {} : { limit: query.limit }),
      }),
    }),
  }),
];

const writes = (records: RecordsOf): Route[] => [
  route({
    method: 'POST',
    path: '/api/v1/records/:app/:entity',
    summary: 'A new record',
    scope: 'write',
    params: entity,
    body: values,
    answer: 'The record.',
    handle: async ({ params, body, request, reply, principal, client }) => {
      const { version: _, ...options } = writeOptions(request);
      const engine = await records(request, principal, client);
      const made = await engine.create(pathOf(params), body as Values, options);
      reply.status(201).header('location', `/api/v1/records/${params.app}/${params.entity}/${made.id}`);
      return sendRecord(request, reply, made);
    },
  }),
  route({
    method: 'PATCH',
    path: '/api/v1/records/:app/:entity/:id',
    summary: 'Changes the fields given; null empties one',
    scope: 'write',
    params: record,
    body: values,
    answer: 'The record.',
    handle: async ({ params, body, request, reply, principal, client }) => {
      const engine = await records(request, principal, client);
      const options = writeOptions(request);
      return sendRecord(
        request,
        reply,
        await engine.update(pathOf(params), params.id, body as Values, options),
      );
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/records/:app/:entity/:id',
    summary: 'Deletes a record',
    scope: 'write',
    params: record,
    answer: 'Its id.',
    handle: async ({ params, request, principal, client }) => {
      await (await records(request, principal, client)).delete(
        pathOf(params),
        params.id,
        writeOptions(request),
      );
      return { id: params.id };
    },
  }),
];

const operations = (records: RecordsOf): Route[] => [
  route({
    method: 'POST',
    path: '/api/v1/records/:app/:entity/:id/transitions/:name',
    summary: 'Moves a record to another state, with all that follows from it',
    scope: 'write',
    params: named,
    body: values,
    answer: 'The record.',
    handle: async ({ params, body, request, reply, principal, client }) => {
      const engine = await records(request, principal, client);
      const options = writeOptions(request);
      const moved = await engine.transition(pathOf(params), params.id, params.name, body as Values, options);
      return sendRecord(request, reply, moved);
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/records/:app/:entity/:id/actions/:name',
    summary: 'Does an action of the entity',
    scope: 'write',
    params: named,
    body: values,
    answer: 'The record.',
    handle: async ({ params, body, request, reply, principal, client }) => {
      const engine = await records(request, principal, client);
      const options = writeOptions(request);
      return sendRecord(
        request,
        reply,
        await engine.act(pathOf(params), params.id, params.name, body as Values, options),
      );
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/records/:app/:entity/:id/amend',
    summary: 'A new draft with the values of a cancelled document',
    scope: 'write',
    params: record,
    answer: 'The new record.',
    handle: async ({ params, request, reply, principal, client }) => {
      const { version: _, ...options } = writeOptions(request);
      const made = await (await records(request, principal, client)).amend(
        pathOf(params),
        params.id,
        options,
      );
      reply.status(201);
      return sendRecord(request, reply, made);
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/records/bulk',
    summary: 'Up to 500 operations in order, all or none',
    scope: 'write',
    body: z.strictObject({ operations: z.array(bulkOperation()).min(1).max(500) }),
    answer: '`records`: the record of each operation, null for deleted ones.',
    handle: async ({ body, request, principal, client }) => {
      const { idempotencyKey } = writeOptions(request);
      const engine = await records(request, principal, client);
      const done = await engine.bulk(
        body.operations as BulkOperation[],
        idempotencyKey === undefined ? {} : { idempotencyKey },
      );
      return { records: done };
    },
  }),
];

function bulkOperation() {
  const place = { entity: z.string().max(81), version: z.int().optional() };
  return z.discriminatedUnion('op', [
    z.strictObject({ op: z.literal('create'), entity: place.entity, values }),
    z.strictObject({ op: z.literal('update'), ...place, id, values }),
    z.strictObject({ op: z.literal('delete'), ...place, id }),
    z.strictObject({ op: z.literal('transition'), ...place, id, name: part, input: values.optional() }),
  ]);
}

/** The same whether there is none or it may not be seen. */
const notFound = ({ app, entity: name, id: wanted }: { app: string; entity: string; id: string }): HubError =>
  new HubError('RECORD_NOT_FOUND', `There is no ${app}.${name} ${wanted} that you may see.`, {
    next: 'Check the id, or ask for the right to read it.',
    disposition: 'user',
  });
