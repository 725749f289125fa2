import { defineConfig } from 'vitest/config';

/** Tests that need Kafka: each file starts brokers of its own (deploy/kafka), so one file at a time. */
export default defineConfig({
  // Its libraries load graphql as CommonJS, as Node does; a second copy as a module would not know its types.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['**/*.kafka.test.ts'],
    exclude: ['**/node_modules/**', '.bac/**'],
    globalSetup: ['tests/support/shelf.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
