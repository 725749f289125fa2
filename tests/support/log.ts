import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChangeLog, silentLogger } from '#kernel';
import { type EmbeddedLogOptions, openEmbeddedLog } from '#stream';

export interface TestLog {
  readonly log: ChangeLog;
  readonly dir: string;
  /** Closes the log and removes its folder. */
  stop(): Promise<void>;
}

/** A real log of its own in a temporary folder. */
export async function testLog(options: Partial<EmbeddedLogOptions> = {}): Promise<TestLog> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'bac-log-'));
  const log = await openEmbeddedLog({ log: silentLogger(), ...options, dir });
  return {
    log,
    dir,
    stop: async () => {
      await log.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
