import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#apps';
import { silentLogger } from '#kernel';

export interface TestPostgres extends EmbeddedPostgres, AsyncDisposable {
  readonly dir: string;
}

/** A real PostgreSQL of its own in a temporary folder on a free port; disposing stops and removes it. */
export async function testPostgres(settings: Record<string, string> = {}): Promise<TestPostgres> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-pg-'));
  chmodSync(dir, 0o755);
  const server = await startEmbeddedPostgres({
    dir,
    port: 0,
    log: silentLogger(),
    settings: { fsync: 'off', ...settings },
  });
  return {
    ...server,
    dir,
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
