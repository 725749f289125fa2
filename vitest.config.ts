import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/*.slow.test.ts', '**/*.kafka.test.ts', '.bac/**'],
    globalSetup: ['tests/support/shelf.ts'],
    // Node strips types itself: what is tested is loaded as it is run.
    experimental: { viteModuleRunner: false },
    // Files share what is loaded, else a third of the time goes into loading: no module may keep what one file did.
    isolate: false,
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
