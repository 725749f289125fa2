import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { userError } from '#kernel';

const hubFileSchema = z.object({
  pid: z.number(),
  startedAt: z.string(),
  version: z.string(),
  addresses: z.record(z.string(), z.string()),
  /** Process ids of the engines and roles. */
  processes: z.record(z.string(), z.number()).default({}),
});

/** What a running hub says of itself in `<state>/hub.json`: how commands find it. */
export type HubFile = z.infer<typeof hubFileSchema>;

export interface StateFolder {
  readonly root: string;
  readonly postgres: string;
  readonly clickhouse: string;
  readonly log: string;
  readonly logs: string;
  /** API key of the local owner. */
  readonly keyFile: string;
  /** Claims the folder for this process. HUB_RUNNING if a live hub holds it. */
  claim(version: string): void;
  /** Tells other commands where things listen and which processes run. */
  publish(facts: Partial<Pick<HubFile, 'addresses' | 'processes'>>): void;
  release(): void;
  /** A secret kept in the folder under `name`, made on first use. */
  secret(name: string): string;
}

/** The running hub of a state folder, or null (absent, or its process is gone). */
export function readHubFile(root: string): HubFile | null {
  const file = join(root, 'hub.json');
  if (!existsSync(file)) return null;
  const parsed = hubFileSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : null;
}

/**
 * Opens (makes) the folder that holds all embedded state. STATE_DIR_UNWRITABLE (user) where that
 * cannot be, as on a read-only root file system.
 */
export function openStateFolder(root: string): StateFolder {
  try {
    mkdirSync(root, { recursive: true, mode: 0o755 });
    accessSync(root, constants.W_OK);
  } catch (cause) {
    throw userError(
      'STATE_DIR_UNWRITABLE',
      `The state folder ${root} cannot be written.`,
      'Set BAC_STATE_DIR to a folder this user may write, or give every engine and the log by URL.',
      cause,
    );
  }
  const at = (name: string): string => join(root, name);
  const file = at('hub.json');
  let own: HubFile | null = null;
  const write = (content: HubFile): void => {
    own = content;
    writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  return {
    root,
    postgres: at('postgres'),
    clickhouse: at('clickhouse'),
    log: at('log'),
    logs: at('logs'),
    keyFile: at('key'),
    claim(version) {
      const other = readHubFile(root);
      if (other && other.pid !== process.pid) {
        throw userError(
          'HUB_RUNNING',
          `A hub is already running on ${root} (process ${other.pid}${other.addresses.http ? `, ${other.addresses.http}` : ''}).`,
          'Use it, stop it, or set BAC_STATE_DIR to another folder.',
        );
      }
      write({ pid: process.pid, startedAt: new Date().toISOString(), version, addresses: {}, processes: {} });
    },
    publish(facts) {
      if (own) write({ ...own, ...facts });
    },
    release() {
      if (own) rmSync(file, { force: true });
      own = null;
    },
    secret(name) {
      const secretFile = at(name);
      try {
        // Exclusive: of several processes that share the folder one makes it, the others read it.
        writeFileSync(secretFile, randomBytes(24).toString('hex'), { mode: 0o600, flag: 'wx' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      return readFileSync(secretFile, 'utf8').trim();
    },
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
