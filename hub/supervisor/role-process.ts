import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { HubError, type HubErrorOptions } from '#kernel';
import type { RoleName, RoleSettings } from '../roles/index.ts';
import type { Running } from './unit.ts';

const ENTRY = fileURLToPath(new URL('../roles/main.ts', import.meta.url));
/** Roles stream: a small heap that is collected often keeps each well below 300 MB at no cost in speed. */
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-old-space-size=192',
  '--max-semi-space-size=6',
];
/** A role asked to stop gets this long before it is killed; every step is idempotent. */
const STOP_MS = 9_000;

export interface RoleProcess extends Running {
  /** Facts the role reported when ready, e.g. the port it listens on. */
  readonly facts: Readonly<Record<string, unknown>>;
}

type FromRole =
  | { type: 'ready'; facts: Record<string, unknown> }
  | { type: 'failed'; error: { code: string; message: string } & HubErrorOptions };

/**
 * Starts a role in a process of its own. Settings, secrets included, go over the IPC channel, never
 * over arguments or environment; the role ends by itself when the channel closes.
 */
export function startRole(name: RoleName, settings: RoleSettings, logs: Writable): Promise<RoleProcess> {
  const child = spawn(process.execPath, [...NODE_FLAGS, ENTRY, name], {
    env: { ...process.env, MALLOC_ARENA_MAX: '2' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  child.stdout?.pipe(logs, { end: false });
  child.stderr?.pipe(logs, { end: false });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(timer);
  };
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new HubError('ROLE_ENDED', `Role ${name} ended (${code}) before it was ready.`)),
    );
    child.on('message', (message: FromRole) => {
      if (message.type === 'ready') resolve({ pid: child.pid!, exited, stop, facts: message.facts });
      else reject(new HubError(message.error.code, message.error.message, message.error));
    });
    child.send({ type: 'start', settings });
  });
}
