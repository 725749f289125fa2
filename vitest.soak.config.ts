import { defineConfig } from 'vitest/config';

/** The log's contract over many more crashes and random runs. Reported by CI, see .ci/run. */
export default defineConfig({
  test: {
    include: ['stream/embedded/contract.slow.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
