import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';

/** A small file system of its own for the log below a state folder; null where this user may not mount one. */
function mountLog(stateDir: string, size: string): string | null {
  const dir = join(stateDir, 'log');
  mkdirSync(dir);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir], { stdio: 'ignore' });
    return dir;
  } catch {
    return null;
  }
}

interface Shown {
  readonly sources: readonly {
    readonly name: string;
    readonly error: { readonly code: string; readonly next?: string } | null;
    readonly tables: readonly { readonly state: string }[];
  }[];
}

const shown = async (hub: TestHub): Promise<Shown['sources'][number]> => {
  const result = await hub.bac('status', '--json');
  return (JSON.parse(result.stdout) as Shown).sources.find(({ name }) => name === 'shop')!;
};

test('a full disk under the log is told with the next step, loses nothing, and all goes on when there is room', async (context) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'bac-disk-full-'));
  chmodSync(stateDir, 0o755);
  const dir = mountLog(stateDir, '32m');
  try {
    if (dir === null) return context.skip('mounting a small file system takes root');
    await using hub = await testHub({ stateDir });
    const client = new pg.Client({ connectionString: hub.postgresUrl });
    client.on('error', () => {}); // the hub is stopped while a failing test still holds it
    await client.connect();
    await client.query('CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL)');
    await hub.stream('shop', 'notes');

    // About 80 MB that do not compress.
    for (let from = 0; from < 40_000; from += 2_000) {
      await client.query(
        `INSERT INTO notes SELECT g, string_agg(md5(g::text || ':' || part), '') FROM generate_series($1::int, $1::int + 1999) g,
           generate_series(1, 64) part GROUP BY g`,
        [from],
      );
    }
    const full = await eventually(
      async () => {
        const source = await shown(hub);
        return source.error?.code === 'LOG_DISK_FULL' ? source : undefined;
      },
      60_000,
      () => 'status does not tell that the disk is full',
    );
    expect(full.error?.next).toMatch(/\w+/);
    const told = await hub.bac('status');
    expect(told.stdout).toMatch(/LOG_DISK_FULL|disk/i);
    expect(told.stdout).not.toMatch(/\n\s+at /);

    execFileSync('mount', ['-o', 'remount,size=512m', dir]);
    const resumed = await hub.bac('connect', 'resume', 'shop');
    expect(resumed, resumed.stderr).toMatchObject({ code: 0 });
    const verified = await hub.bac('verify', 'shop', '--json');
    expect(verified, verified.stderr + verified.stdout).toMatchObject({ code: 0 });
    expect((await shown(hub)).error).toBeNull();
    await client.end();
  } finally {
    if (dir !== null) execFileSync('umount', [dir]);
    rmSync(stateDir, { recursive: true, force: true });
  }
});
