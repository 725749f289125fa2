import { z } from 'zod';
import { type ModelFile, userError } from '#kernel';
import type { CheckReport } from '#semantic';
import { type Route, route } from '../route.ts';

const file = z.strictObject({ fileName: z.string().max(200), content: z.string().max(500_000) });
const body = z.object({
  files: z.array(file).max(100).default([]),
  tests: z.array(file).max(100).default([]),
});

export interface ModelChecker {
  check(files: readonly ModelFile[], tests: readonly ModelFile[]): Promise<CheckReport>;
}

/** The semantic model, for those who look after it. */
export function modelRoutes(semantic: ModelChecker | null): Route[] {
  if (!semantic) return [];
  let checking = false;
  return [
    route({
      method: 'POST',
      path: '/api/v1/model/check',
      summary: 'Check the semantic model',
      scope: 'admin',
      body,
      answer:
        'ok, counts and findings: files that cannot be read, clashes, orphans, what does not compile, failed tests.',
      async handle({ body: { files, tests } }) {
        // It compiles a model beside the one that serves: one at a time is enough of that.
        if (checking)
          throw userError(
            'MODEL_CHECK_RUNNING',
            'The model is being checked already.',
            'Wait until that is over.',
          );
        checking = true;
        try {
          return await semantic.check(files, tests);
        } finally {
          checking = false;
        }
      },
    }),
  ];
}
