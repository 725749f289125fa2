import { z } from 'zod';
import { type ModelFile, userError } from '#kernel';
import type { CheckReport, Rollups } from '#semantic';
import { type Route, route } from '../route.ts';

const file = z.strictObject({ fileName: z.string().max(200), content: z.string().max(500_000) });
const body = z.object({
  files: z.array(file).max(200).optional(),
  tests: z.array(file).max(200).default([]),
});

export interface ModelChecker {
  readonly rollups: Rollups;
  advise(): Promise<unknown>;
  check(instead?: {
    readonly files: readonly ModelFile[];
    readonly tests: readonly ModelFile[];
  }): Promise<CheckReport>;
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
        'The company’s folder as it is now, or `files` in its place. ok, counts and findings with file and line: files that cannot be read, clashes, orphans, what does not compile, failed tests.',
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
          return await semantic.check(files && { files, tests });
        } finally {
          checking = false;
        }
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/model/rollups',
      summary: 'Roll-ups that the model declares',
      scope: 'read',
      answer:
        'By roll-up: state, error, rows, bytes, up to which insert and when it was covered, and of this process: builds, refreshes, answers, fallbacks, comparisons.',
      handle: async () => ({ rollups: await semantic.rollups.status() }),
    }),
    route({
      method: 'GET',
      path: '/api/v1/model/advice',
      summary: 'Roll-ups that would have answered what was asked',
      scope: 'admin',
      answer:
        'proposals, each as YAML of a model file with questions and rows read a day now and the rows of the roll-up; from how many questions of how many days.',
      handle: () => semantic.advise(),
    }),
    route({
      method: 'POST',
      path: '/api/v1/model/rollups/check',
      summary: 'Compare the last answers of roll-ups with the raw ones',
      scope: 'admin',
      answer: 'How many questions were compared, and the differences.',
      handle: () => semantic.rollups.check(),
    }),
  ];
}
