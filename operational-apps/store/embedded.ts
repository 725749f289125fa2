import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import pg from 'pg';
import { bindable, freePort, HubError, type Logger, userError } from '#kernel';
import { othersCanReach, type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts';

export interface EmbeddedPostgresOptions {
  /** Folder of the cluster; made if absent. */
  readonly dir: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly log: Logger;
  /** Server settings on top of the hub's own, e.g. `{ fsync: 'off' }` in tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** Superuser connection to database `bac`, password included. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server process has ended, for whatever reason. */
  readonly exited: Promise<void>;
  /** Fast shutdown (SIGINT); open sessions are ended, nothing committed is lost. */
  stop(): Promise<void>;
}

const SETTINGS: Readonly<Record<string, string>> = {
  wal_level: 'logical',
  max_wal_senders: '16',
  max_replication_slots: '16',
  listen_addresses: '127.0.0.1',
  shared_buffers: '128MB',
  max_wal_size: '2GB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logical_decoding_work_mem: '64MB',
};

/**
 * Starts the embedded PostgreSQL on loopback and resolves once it answers. A cluster left behind by
 * kill -9 recovers by itself; a server still running on the folder is an error that says so.
 * Errors: PORT_TAKEN, POSTGRES_START_FAILED (with the server's last words).
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = postgresBinaries();
  const cluster = clusterFolder(options.dir, binaries);
  const password = clusterPassword(options.dir);
  if (!existsSync(join(cluster, 'PG_VERSION'))) await initialise(binaries, cluster, password);
  if (options.port !== 0) await assertPortFree(options.port);
  await endOrphan(options.dir, cluster);
  const { child, port } = await launchWhenFree(binaries, cluster, options);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/bac`;
  await ensureDatabase(url);
  return {
    url,
    port,
    pid: child.pid!,
    exited,
    async stop() {
      child.kill('SIGINT');
      await exited;
    },
  };
}

/** Data must lie where the unprivileged account can go; below a private home it is kept in the temporary folder's sibling. */
function clusterFolder(dir: string, { account }: PostgresBinaries): string {
  const wanted = join(dir, 'cluster');
  if (!existsSync(dir)) mkdirSync(dir, { recursive: true, mode: 0o755 });
  if (!account) return wanted;
  if (othersCanReach(dir)) {
    if (!existsSync(wanted)) mkdirSync(wanted, { mode: 0o700 });
    chownSync(wanted, account.uid, account.gid);
    return wanted;
  }
  if (!existsSync(wanted)) {
    const outside = join(
      existsSync('/var/lib') ? '/var/lib' : tmpdir(),
      `bac-hub-${randomBytes(6).toString('hex')}`,
    );
    mkdirSync(outside, { mode: 0o700 });
    chownSync(outside, account.uid, account.gid);
    symlinkSync(outside, wanted);
  }
  // The account cannot follow a link that lies where it may not go.
  return realpathSync(wanted);
}

/**
 * PostgreSQL outlives a hub that was killed with -9. If the process that started it is gone, the
 * server is shut down (fast, nothing committed is lost) so that this one can start; if that process
 * lives, the folder is in use and starting fails with the server's own message.
 */
async function endOrphan(dir: string, cluster: string): Promise<void> {
  const owner = join(dir, 'owner');
  const previous = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : null;
  const pidFile = join(cluster, 'postmaster.pid');
  if (previous !== null && !isAlive(previous) && existsSync(pidFile)) {
    const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
    if (isAlive(pid) && commandOf(pid).includes(cluster)) {
      process.kill(pid, 'SIGINT');
      // Not our child, so no exit event: its pid file goes when it has ended.
      while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  if (previous === null || !isAlive(previous)) writeFileSync(owner, String(process.pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Command line of a process: a number alone may belong to another program by now. */
function commandOf(pid: number): string {
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

function clusterPassword(dir: string): string {
  const file = join(dir, 'password');
  if (!existsSync(file)) {
    writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 });
    chmodSync(file, 0o600);
  }
  return readFileSync(file, 'utf8').trim();
}

async function initialise(binaries: PostgresBinaries, cluster: string, password: string): Promise<void> {
  const passwordFile = join(tmpdir(), `bac-initdb-${randomBytes(6).toString('hex')}`);
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (binaries.account) chownSync(passwordFile, binaries.account.uid, binaries.account.gid);
  try {
    const child = spawn(
      binaries.initdb,
      [
        `--pgdata=${cluster}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        '--locale=C',
        '--no-sync',
      ],
      {
        ...binaries.account,
        stdio: ['ignore', 'ignore', 'pipe'],
        cwd: '/',
        env: { ...process.env, LC_ALL: 'C' },
      },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('exit', resolve),
    );
    if (code !== 0) throw startFailed(said);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** What a server says whose predecessor was killed and still has a backend that is about to notice. */
const LINGERING = 'pre-existing shared memory block';
const LINGER_MS = 15_000;
const LOOK_AGAIN_MS = 100;

/** And one whose free port somebody else has taken meanwhile. */
const PORT_GONE = 'could not create any TCP/IP sockets';

/**
 * Backends of a server killed with -9 end within moments, later on a busy machine: they are waited for. Any free
 * port may be taken between looking and binding: then another one is.
 */
async function launchWhenFree(
  binaries: PostgresBinaries,
  cluster: string,
  options: EmbeddedPostgresOptions,
): Promise<{ child: ChildProcess; port: number }> {
  const until = performance.now() + LINGER_MS;
  for (;;) {
    const port = options.port === 0 ? await freePort() : options.port;
    try {
      return { child: await launch(binaries, cluster, port, options), port };
    } catch (error) {
      const said = error instanceof HubError ? error.message : '';
      const mayPass = said.includes(LINGERING) || (options.port === 0 && said.includes(PORT_GONE));
      if (!mayPass || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }
}

async function launch(
  binaries: PostgresBinaries,
  cluster: string,
  port: number,
  options: EmbeddedPostgresOptions,
): Promise<ChildProcess> {
  const own = { ...SETTINGS, unix_socket_directories: socketFolder(cluster) };
  const settings = Object.entries({ ...own, ...options.settings }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const child = spawn(binaries.postgres, ['-D', cluster, '-p', String(port), ...settings], {
    ...binaries.account,
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: '/',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const tail: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr! }).on('line', (line) => {
      options.log.debug({ server: 'postgres' }, line);
      if (tail.push(line) > 20) tail.shift();
      if (line.includes('database system is ready to accept connections')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(startFailed(tail.join('\n'))));
  });
  return child;
}

/** What a path to a socket may take on Linux and macOS, without the name of the socket itself. */
const LONGEST_SOCKET_FOLDER = 103 - '/.s.PGSQL.65535.lock'.length;

/** The server's own folder, where nobody else may go; none where the path is too long for a socket or means something in a list. */
const socketFolder = (cluster: string): string =>
  Buffer.byteLength(cluster) > LONGEST_SOCKET_FOLDER ||
  /[",\s\\]/.test(cluster) ||
  process.platform === 'win32'
    ? ''
    : cluster;

function startFailed(said: string): HubError {
  const running = said.includes('lock file "postmaster.pid" already exists');
  return userError(
    'POSTGRES_START_FAILED',
    running
      ? 'Another PostgreSQL is running on this state folder.'
      : `PostgreSQL did not start: ${said.trim().split('\n').slice(-3).join(' | ')}`,
    running
      ? 'Stop the other hub (`bac status` shows it) or set BAC_STATE_DIR to another folder.'
      : 'See the log with BAC_LOG_LEVEL=debug.',
  );
}

async function ensureDatabase(url: string): Promise<void> {
  const admin = new pg.Client({ connectionString: url.replace(/\/bac$/, '/postgres') });
  await admin.connect();
  try {
    const { rowCount } = await admin.query("SELECT 1 FROM pg_database WHERE datname = 'bac'");
    if (rowCount === 0) await admin.query('CREATE DATABASE bac');
  } finally {
    await admin.end();
  }
}

async function assertPortFree(port: number): Promise<void> {
  await bindable(port, '127.0.0.1').catch((cause) => {
    throw userError(
      'PORT_TAKEN',
      `Port ${port}, meant for PostgreSQL, is taken.`,
      'Stop what uses it, or set BAC_POSTGRES_PORT to another port (0 = any free one).',
      cause,
    );
  });
}
