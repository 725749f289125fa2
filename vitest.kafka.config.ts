import { defineConfig } from 'vitest/config';

/** Tests that need Kafka: each file starts brokers of its own (deploy/kafka), so one file at a time. */
export default defineConfig({
  test: {
    include: ['**/*.kafka.test.ts'],
    exclude: ['**/node_modules/**', '.bac/**'],
    globalSetup: ['tests/support/shelf.ts'],
    // Node strips types itself: what is tested is loaded as it is run.
    experimental: { viteModuleRunner: false },
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
