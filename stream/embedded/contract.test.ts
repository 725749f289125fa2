import { changeLogContract } from '#kernel/contracts';
import { testLog } from '#tests/log';

changeLogContract('embedded', async () => {
  const { log, dir, stop } = await testLog();
  return { log, module: new URL('./fixtures/open.ts', import.meta.url).href, location: dir, stop };
});
