import { z } from 'zod';
import { type Route, route } from '../route.ts';
import { answerLines } from '../streams.ts';
import type { RouteContext } from './context.ts';

const named = z.strictObject({ name: z.string().min(1).max(40) });
const files = z
  .array(
    z.strictObject({
      /** As errors name it. */
      file: z.string().min(1).max(300),
      content: z.string().max(400_000),
    }),
  )
  .min(1)
  .max(20)
  .refine((all) => new Set(all.map(({ file }) => file)).size === all.length, 'Each file once');
const decision = {
  confirmDestructive: z.boolean().default(false),
  /** Id of the plan that was shown. */
  plan: z.string().max(64).optional(),
};

/** Definitions of apps: what is in force, and changing it while everything runs. */
export function appRoutes({ services, streams }: RouteContext): Route[] {
  const { apps } = services;
  const lines = 'Lines of progress (`type: progress`), then `type: result`.';
  return [
    route({
      method: 'GET',
      path: '/api/v1/apps',
      summary: 'The apps, their versions in force, and what became of the newest apply',
      scope: 'read',
      tenantSafe: true, // definitions are the same for all tenants
      answer: 'The apps.',
      handle: async () => ({ apps: await apps.list() }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/apps/:name',
      summary: 'One app: its definition in force and all its versions',
      scope: 'read',
      tenantSafe: true,
      params: named,
      answer: 'The app.',
      handle: ({ params }) => apps.show(params.name),
    }),
    route({
      method: 'POST',
      path: '/api/v1/apps/plan',
      summary: 'What applying these definitions would do; changes nothing',
      scope: 'write',
      audit: false, // changes nothing
      body: z.strictObject({ files }),
      answer: 'The plan: steps in the database, effects in stream and warehouse, rights, losses.',
      handle: ({ body }) => apps.plan(body.files),
    }),
    route({
      method: 'POST',
      path: '/api/v1/apps/apply',
      summary: 'Apply definitions while everything runs; each takes the place of the app of its name',
      scope: 'admin',
      audit: 'app.apply',
      body: z.strictObject({ files, ...decision }),
      answer: lines,
      contentType: 'application/x-ndjson',
      handle: ({ body: { files: given, ...choice }, principal, reply }) =>
        answerLines(reply, streams, (line) =>
          apps.apply(given, { ...choice, by: principal.user, onProgress: told(line) }),
        ),
    }),
    route({
      method: 'POST',
      path: '/api/v1/apps/:name/rollback/plan',
      summary: 'What going back to the definition before the last apply would do',
      scope: 'write',
      audit: false,
      params: named,
      answer: 'The plan.',
      handle: ({ params }) => apps.planRollback(params.name),
    }),
    route({
      method: 'POST',
      path: '/api/v1/apps/:name/rollback',
      summary: 'Go back to the definition before the last apply',
      scope: 'admin',
      audit: 'app.rollback',
      params: named,
      body: z.strictObject(decision),
      answer: lines,
      contentType: 'application/x-ndjson',
      handle: ({ params, body, principal, reply }) =>
        answerLines(reply, streams, (line) =>
          apps.rollback(params.name, { ...body, by: principal.user, onProgress: told(line) }),
        ),
    }),
  ];
}

type Line = (value: Readonly<Record<string, unknown>>) => void;

/** The plan is left out: whoever asks has seen it, and progress is dropped for slow readers. */
const told =
  (line: Line) =>
  ({ type, ...rest }: Readonly<Record<string, unknown>>): void => {
    if (type !== 'planned') line({ type: 'progress', event: type, ...rest });
  };
