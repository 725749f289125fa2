import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#apps';
import { silentLogger } from '#kernel';
import { SHELF } from './shelf.ts';

export interface TestPostgres extends EmbeddedPostgres, AsyncDisposable {
  readonly dir: string;
}

const start = (dir: string, settings: Record<string, string> = {}): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dir, port: 0, log: silentLogger(), settings: { fsync: 'off', ...settings } });

/** A real PostgreSQL of its own in a temporary folder on a free port; disposing stops and removes it. */
export async function testPostgres(settings: Record<string, string> = {}): Promise<TestPostgres> {
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-pg-'));
  chmodSync(dir, 0o755);
  const shelf = process.env[SHELF];
  if (shelf !== undefined) await promisify(execFile)('cp', ['-a', `${await template(shelf)}/.`, dir]);
  const server = await start(dir, settings);
  return {
    ...server,
    dir,
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** An empty cluster, made by the first test file of the run that needs one: making it takes longer than all else. */
async function template(shelf: string): Promise<string> {
  const made = join(shelf, 'postgres');
  if (existsSync(made)) return made;
  const aside = mkdtempSync(join(shelf, 'postgres-'));
  chmodSync(aside, 0o755);
  const server = await start(aside);
  await server.stop();
  // Whose server a folder's is, is told anew in each copy.
  rmSync(join(aside, 'owner'), { force: true });
  try {
    renameSync(aside, made);
  } catch (error) {
    // Another one was first.
    if (!existsSync(made)) throw error;
  }
  return made;
}
