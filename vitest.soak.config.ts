import { defineConfig } from 'vitest/config';

/** Crash loops: minutes of random kills. Reported by CI, see .ci/run. */
export default defineConfig({
  test: {
    include: ['tests/crash/**/*.slow.test.ts', 'stream/embedded/contract.slow.test.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
