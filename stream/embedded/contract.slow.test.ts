import { changeLogContract } from '#kernel/contracts';
import { testLog } from '#tests/log';

/** The same promises, tried harder. */
changeLogContract(
  'embedded, long',
  async () => {
    const { log, dir, stop } = await testLog();
    return { log, module: new URL('./fixtures/open.ts', import.meta.url).href, location: dir, stop };
  },
  { crashes: 24, runs: 80 },
);
