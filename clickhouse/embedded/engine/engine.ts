import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chLiteral, userError } from '#kernel';
import { Connection } from './connection.ts';
import { refusal } from './engine-error.ts';
import { Fifos } from './fifo.ts';
import { loadLibrary, tryLock } from './library.ts';
import { ConnectionPool, type Lease } from './pool.ts';

export type Settings = ReadonlyMap<string, string>;

export interface EngineOptions {
  readonly dir: string;
  /** Memory of all queries together; over it the engine refuses with MEMORY_LIMIT_EXCEEDED. */
  readonly maxMemoryBytes: number;
  readonly configFile?: string | undefined;
}

const MiB = 1024 * 1024;
const IDLE_CONNECTIONS = 16;

/** Settings of every request unless it says otherwise. */
const DEFAULTS: Settings = new Map([
  ['max_insert_threads', '1'],
  // Half of ClickHouse's defaults: an insert of any length holds about this much, several times over.
  ['max_insert_block_size', '524288'],
  ['min_insert_block_size_rows', '524288'],
  ['min_insert_block_size_bytes', String(128 * MiB)],
]);

/** What a durable, one-process engine does anyway, or what only a server can do. */
const IGNORED = new Set(['async_insert', 'wait_for_async_insert', 'log_comment', 'log_queries']);

/**
 * The engine of this process on one folder. One connection is kept open for control, so that the
 * engine outlives the requests' connections.
 */
export class Engine {
  readonly #control: Connection;
  readonly #known: ReadonlySet<string>;
  readonly #pool: ConnectionPool;
  /** Folder for spooled inserts. */
  readonly scratch: string;
  readonly fifos: Fifos;
  readonly version: string;
  readonly timezone: string;
  #controlTurn: Promise<unknown> = Promise.resolve();

  private constructor(control: Connection, pool: ConnectionPool, scratch: string, facts: EngineFacts) {
    this.#pool = pool;
    this.fifos = new Fifos(scratch);
    this.#control = control;
    this.#known = facts.settings;
    this.scratch = scratch;
    this.version = facts.version;
    this.timezone = facts.timezone;
  }

  /** Errors: CLICKHOUSE_FOLDER_IN_USE, CLICKHOUSE_START_FAILED. */
  static async open(options: EngineOptions): Promise<Engine> {
    if (/[*?{}]/.test(options.dir)) {
      throw userError(
        'CLICKHOUSE_START_FAILED',
        `The folder ${options.dir} has *, ?, { or } in its name, which ClickHouse takes for a pattern.`,
        'Set BAC_STATE_DIR to another folder.',
      );
    }
    mkdirSync(options.dir, { recursive: true });
    loadLibrary();
    lockFolder(options.dir);
    const scratch = join(options.dir, 'scratch');
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch, { mode: 0o700 });
    const path = `--path=${join(options.dir, 'data')}`;
    const args = [
      path,
      ...(options.configFile === undefined ? [] : [`--config-file=${options.configFile}`]),
      `--max_server_memory_usage=${options.maxMemoryBytes}`,
      `--mark_cache_size=${64 * MiB}`,
      `--index_mark_cache_size=${16 * MiB}`,
      `--primary_index_cache_size=${64 * MiB}`,
      '--uncompressed_cache_size=0',
      `--compiled_expression_cache_size=${16 * MiB}`,
      '--background_pool_size=2',
      '--background_schedule_pool_size=4',
    ];
    const control = await Connection.open(args);
    if (!control) {
      throw userError(
        'CLICKHOUSE_START_FAILED',
        `The ClickHouse engine did not open ${options.dir}.`,
        'See the log with BAC_LOG_LEVEL=debug.',
      );
    }
    const pool = new ConnectionPool([path], IDLE_CONNECTIONS);
    return new Engine(control, pool, scratch, await readFacts(control));
  }

  /** A connection with `settings` on top of the defaults. Throws the engine's exception for a bad one. */
  async lease(settings: Settings, options: { readonly: boolean; database: string }): Promise<Lease> {
    const wanted = new Map(DEFAULTS);
    for (const [name, value] of settings) {
      if (!this.#known.has(name)) throw refusal(115, 'UNKNOWN_SETTING', `Unknown setting '${name}'`);
      if (value.includes('\0')) throw refusal(36, 'BAD_ARGUMENTS', `Setting '${name}' holds a NUL byte`);
      if (!IGNORED.has(name)) wanted.set(name, value);
    }
    if (options.readonly) wanted.set('readonly', '1');
    const args = [...wanted].map(([name, value]) => `--${name}=${value}`);
    const lease = await this.#pool.lease({ database: options.database, args });
    if (lease) return lease;
    throw await this.#refusedSetting(wanted);
  }

  /** The engine opens no connection with a bad setting and does not say why; SET does. */
  async #refusedSetting(settings: Settings): Promise<unknown> {
    const lease = await this.#pool.lease({ database: '', args: [] });
    try {
      for (const [name, value] of settings) await lease?.connection.run(`SET ${name} = ${chLiteral(value)}`);
    } catch (error) {
      return error;
    } finally {
      lease?.release(false);
    }
    return refusal(210, 'NETWORK_ERROR', 'The engine opened no connection');
  }

  /** A statement of the front's own. One at a time. */
  control(sql: string): Promise<Buffer> {
    const turn = this.#controlTurn.then(async () => (await this.#control.run(sql)).bytes);
    this.#controlTurn = turn.catch(() => {});
    return turn;
  }

  /** Asks the engine to end the statement that runs under a lease's mark; returns at once. */
  async kill(mark: string): Promise<void> {
    await this.control(`KILL QUERY WHERE Settings['log_comment'] = ${chLiteral(mark)} ASYNC`);
  }

  /** Closes the engine. No lease may be out. */
  async close(): Promise<void> {
    await this.#controlTurn;
    await this.#pool.close();
    await this.#control.close();
  }
}

interface EngineFacts {
  readonly version: string;
  readonly timezone: string;
  readonly settings: ReadonlySet<string>;
}

async function readFacts(control: Connection): Promise<EngineFacts> {
  const lines = async (sql: string): Promise<string[]> =>
    (await control.run(sql)).bytes.toString().trimEnd().split('\n');
  const [version, timezone] = await lines('SELECT arrayJoin([version(), timezone()])');
  return {
    version: version!,
    timezone: timezone!,
    settings: new Set(await lines('SELECT name FROM system.settings')),
  };
}

function lockFolder(dir: string): void {
  const fd = openSync(join(dir, 'lock'), 'a');
  if (tryLock(fd)) return;
  closeSync(fd);
  throw userError(
    'CLICKHOUSE_FOLDER_IN_USE',
    `Another ClickHouse engine is running on ${dir}.`,
    'Stop the other hub (`bac status` shows it) or set BAC_STATE_DIR to another folder.',
  );
}
