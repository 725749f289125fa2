import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { HubError } from '#kernel';
import type { Readiness } from '../http/index.ts';
import type { Figure, FromRole, RoleName, RoleSettings, ToRole } from '../roles/index.ts';
import type { Running, Unit } from './unit.ts';

const ENTRY = fileURLToPath(new URL('../roles/main.ts', import.meta.url));
/** Roles stream: a small heap keeps each below 300 MB. */
const NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--max-old-space-size=192',
  '--max-semi-space-size=6',
  '--expose-gc', // see bufferPassed
];
/**
 * Of what capture and the sink have under way half outlives a young space of 6 MB, and a heap of 30 MB may grow by a
 * third: it was marked five times a second, an eighth of their time. This much costs each 30 to 40 MB.
 */
const CARRYING = ['--max-semi-space-size=12', '--initial-old-space-size=64'];
/**
 * The api answers many at once: what they hold outlives a small young space and then waits for the whole heap to be
 * marked, by default by four threads that take the cores from the one that answers. And it collects when it must,
 * not when V8 finds that it allocates little: Cube's thread rests most of the time, and each time it did, marking its
 * heap held up answers of the other thread by 40 to 150 ms.
 */
const ANSWERING = [
  '--min-semi-space-size=32',
  '--max-semi-space-size=32',
  '--v8-pool-size=1',
  '--no-memory-reducer',
];
/** Later flags win. */
const FLAGS_OF: Partial<Record<RoleName, readonly string[]>> = {
  capture: CARRYING,
  sink: CARRYING,
  api: ANSWERING,
};
/** A role asked to stop gets this long before it is killed; every step is idempotent. */
const STOP_MS = 8_000;
/** A role that takes longer to say whether it is ready is not. */
const PROBE_MS = 4_000;
/** Deployment keys are the supervisor's to install: roles do not need them. */
const NOT_FOR_ROLES = /^BAC_(OWNER|METRICS)_KEY/;

export interface RoleProcess extends Running {
  /** Facts the role reported when ready, e.g. the port it listens on. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Asks the role whether what it stands on answers. Rejects after some seconds, or when the role has ended. */
  probe(): Promise<Readiness>;
  /** What the role last said of itself, and when (`performance.now()`). */
  latest(): { readonly figures: readonly Figure[]; readonly at: number };
}

/** A role of this process under supervision. */
export interface RoleUnit {
  readonly name: RoleName;
  readonly unit: Unit<RoleProcess>;
}

/**
 * Starts a role in a process of its own. Settings, secrets included, go over the IPC channel, never
 * over arguments or environment; the role ends by itself when the channel closes. One that is not
 * ready when `signal` aborts is killed.
 */
export function startRole(
  name: RoleName,
  settings: RoleSettings,
  logs: Writable,
  signal?: AbortSignal,
): Promise<RoleProcess> {
  const child = spawn(process.execPath, [...NODE_FLAGS, ...(FLAGS_OF[name] ?? []), ENTRY, name], {
    env: { ...environment(), MALLOC_ARENA_MAX: '2' },
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
  const probes = new Map<number, (readiness: Readiness) => void>();
  let asked = 0;
  let latest: { figures: readonly Figure[]; at: number } = { figures: [], at: performance.now() };
  const say = (message: ToRole): void => {
    if (child.connected) child.send(message, () => {}); // a role that is gone is noticed by its exit
  };
  const probe = async (): Promise<Readiness> => {
    const id = ++asked;
    const answer = Promise.withResolvers<Readiness>();
    probes.set(id, answer.resolve);
    const late = setTimeout(
      () => answer.reject(new HubError('ROLE_SILENT', `Role ${name} does not answer.`)),
      PROBE_MS,
    );
    say({ type: 'probe', id });
    try {
      return await Promise.race([
        answer.promise,
        exited.then(() => {
          throw new HubError('ROLE_ENDED', `Role ${name} has ended.`);
        }),
      ]);
    } finally {
      clearTimeout(late);
      probes.delete(id);
    }
  };
  const kill = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', kill, { once: true });
  return new Promise<RoleProcess>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new HubError('ROLE_ENDED', `Role ${name} ended (${code}) before it was ready.`)),
    );
    child.on('message', (message: FromRole) => {
      if (message.type === 'figures') latest = { figures: message.figures, at: performance.now() };
      else if (message.type === 'probed') probes.get(message.id)?.(message.readiness);
      else if (message.type === 'ready')
        resolve({ pid: child.pid!, exited, stop, facts: message.facts, probe, latest: () => latest });
      else reject(new HubError(message.error.code, message.error.message, message.error));
    });
    say({ type: 'start', settings });
  }).finally(() => signal?.removeEventListener('abort', kill));
}

function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !NOT_FOR_ROLES.test(name)));
}
