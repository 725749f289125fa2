import { Readable } from 'node:stream';
import { z } from 'zod';
import { type AppsRuntime, assertImportable, exportRecords, FORMAT_NAMES, importRecords } from '#apps';
import { userError } from '#kernel';
import { type Route, route } from '../route.ts';
import { answerLines, type OpenStreams } from '../streams.ts';
import { listParameters, toListQuery } from './query.ts';
import type { RecordsOf } from './routes.ts';

const part = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/);
const entity = z.strictObject({ app: part, entity: part });
const format = z.enum(FORMAT_NAMES).default('csv');

/** Records as files, out and in. */
export const exchangeRoutes = (runtime: AppsRuntime, records: RecordsOf, streams: OpenStreams): Route[] => [
  route({
    method: 'GET',
    path: '/api/v1/export/:app/:entity',
    summary: 'Records as CSV, Excel or Parquet: filtered, sorted and searched like a list',
    scope: 'read',
    params: entity,
    query: listParameters.extend({ format }),
    answer: 'The file.',
    contentType: 'application/octet-stream',
    handle: async ({ params, query, request, reply, principal, client }) => {
      const { first: _, after: __, fields, ...rest } = query;
      const engine = await records(request, principal, client);
      const { select: ___, ...list } = toListQuery(rest as never);
      const file = exportRecords(engine, runtime.entity(`${params.app}.${params.entity}`), {
        format: query.format,
        query: list,
        columns: fields,
      });
      const content = Readable.from(file.content, { objectMode: false });
      // The first piece decides whether there is an answer at all: a refusal is an error, not a broken file.
      await new Promise<void>((resolve, reject) => {
        content.once('readable', resolve);
        content.once('error', reject);
      });
      reply
        .header('content-type', file.contentType)
        .header('content-disposition', `attachment; filename="${file.fileName}"`);
      reply.send(content);
      return undefined;
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/import/:app/:entity',
    summary:
      'The file that is the request’s body becomes records; with `dryRun` everything is tried and nothing kept',
    scope: 'write',
    params: entity,
    query: z.strictObject({
      format,
      match: part.optional().describe('Unique field, or id, by which a row’s record is found and changed.'),
      dryRun: z.stringbool().optional(),
    }),
    answer:
      'Lines of progress (`type: progress`), then `type: result`: what was made and changed, and each refused row with its line.',
    contentType: 'application/x-ndjson',
    handle: async ({ params, query, request, reply, principal, client }) => {
      if (!(request.body instanceof Readable))
        throw userError(
          'REQUEST_INVALID',
          'A file is sent as application/octet-stream.',
          'Set the content type.',
        );
      const content = request.body;
      const engine = await records(request, principal, client);
      const target = runtime.entity(`${params.app}.${params.entity}`);
      const choice = { format: query.format, match: query.match, dryRun: query.dryRun ?? false };
      assertImportable(engine, target, choice);
      return answerLines(reply, streams, (line) =>
        importRecords(engine, target, content, {
          ...choice,
          onProgress: (progress) => line({ type: 'progress', ...progress }),
        }),
      );
    },
  }),
];
