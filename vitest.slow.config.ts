import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Its libraries load graphql as CommonJS, as Node does; a second copy as a module would not know its types.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['**/*.slow.test.ts'],
    exclude: ['**/node_modules/**', '.bac/**'],
    globalSetup: ['tests/support/shelf.ts'],
    pool: 'forks',
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 300_000,
  },
});
