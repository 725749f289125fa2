import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Its libraries load graphql as CommonJS, as Node does; a second copy as a module would not know its types.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/*.slow.test.ts', '**/*.kafka.test.ts', '.bac/**'],
    globalSetup: ['tests/support/shelf.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
