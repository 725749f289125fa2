import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the test files of one run keep what they all begin with; its name goes to them in the environment. */
export const SHELF = 'HUB_TEST_SHELF';

/** vitest's global setup: an empty shelf for the run, removed after it. */
export function setup(): () => void {
  const dir = mkdtempSync(join(tmpdir(), 'bac-test-shelf-'));
  // PostgreSQL runs as an account of its own.
  chmodSync(dir, 0o755);
  process.env[SHELF] = dir;
  return () => rmSync(dir, { recursive: true, force: true });
}
