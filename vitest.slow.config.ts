import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.slow.test.ts'],
    exclude: ['**/node_modules/**', '.bac/**'],
    globalSetup: ['tests/support/shelf.ts'],
    // Node strips types itself: what is tested is loaded as it is run.
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
