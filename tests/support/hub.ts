import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../hub/main.ts', import.meta.url));
const NODE_ARGS = ['--disable-warning=ExperimentalWarning', MAIN];

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A whole hub, as a user starts it: `bac up` in a process of its own, on free ports and a temporary folder. */
export interface TestHub extends AsyncDisposable {
  readonly stateDir: string;
  readonly addresses: Readonly<Record<string, string>>;
  /** Superuser connection string of the embedded PostgreSQL. */
  readonly postgresUrl: string;
  readonly key: string;
  readonly output: readonly string[];
  /** Current process ids of engines and roles. */
  processes(): Readonly<Record<string, number>>;
  /** Runs another `bac` command against this hub. */
  bac(...args: string[]): Promise<CommandResult>;
  /** Adds tables (as `--tables` takes them) of the embedded PostgreSQL as a source; resolves when they stream. */
  stream(source: string, tables: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<number>;
}

export interface TestHubOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly stateDir?: string;
}

export function runBac(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<CommandResult> {
  const child = spawn(process.execPath, [...NODE_ARGS, ...args], {
    env: { ...process.env, ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** Starts a hub (by default without the demo) and resolves when it says where it is. */
export async function testHub(options: TestHubOptions = {}): Promise<TestHub> {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'bac-test-hub-'));
  chmodSync(stateDir, 0o755);
  const env = {
    BAC_STATE_DIR: stateDir,
    BAC_HTTP_PORT: '0',
    BAC_SQL_PORT: '0',
    BAC_POSTGRES_PORT: '0',
    BAC_CLICKHOUSE_PORT: '0',
    // Tests share the processors; those of the semantic layer wait for it themselves.
    BAC_SEMANTIC_WARM: 'false',
    ...options.env,
  };
  const child = spawn(process.execPath, [...NODE_ARGS, 'up', ...(options.args ?? ['--no-demo'])], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  await new Promise<void>((resolve, reject) => {
    const take = (line: string): void => {
      output.push(line);
      if (/^\s*(Open http|Running:)/.test(line)) resolve();
    };
    createInterface({ input: child.stdout }).on('line', take);
    createInterface({ input: child.stderr }).on('line', take);
    child.once('exit', () => reject(new Error(`the hub ended:\n${output.join('\n')}`)));
  });
  /** A hub with some roles only, on engines of others, holds no state folder. */
  const hubFile = (): { addresses: Record<string, string>; processes: Record<string, number> } => {
    const file = join(stateDir, 'hub.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { addresses: {}, processes: {} };
  };
  const { addresses } = hubFile();
  const secret = (...path: string[]): string => {
    const file = join(stateDir, ...path);
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  };
  const password = secret('postgres', 'password');
  const postgresUrl = `postgresql://postgres:${password}@${addresses.postgres}/bac`;
  return {
    stateDir,
    addresses,
    postgresUrl,
    key: secret('key'),
    output,
    processes: () => hubFile().processes,
    bac: (...args) => runBac(args, env),
    async stream(source, tables) {
      const args = ['connect', 'add', source, '--url', postgresUrl, '--tables', tables, '--wait'];
      const { code, stdout, stderr } = await runBac(args, env);
      if (code !== 0) throw new Error(`connect add ended with ${code}:\n${stdout}${stderr}`);
    },
    kill: (signal) => child.kill(signal),
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
      if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
