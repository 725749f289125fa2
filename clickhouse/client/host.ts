import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { ConnectionLost, warehouseError } from './errors.ts';
import { requestWithoutPause } from './no-pause.ts';

requestWithoutPause();

export type Client = ReturnType<typeof createClient>;

export interface HostOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly maxConnections: number;
}

/** Inactivity on a socket; statements are bounded by their own settings and signals. */
const SOCKET_TIMEOUT_MS = 3_600_000;
const FIRST_LEFT_OUT_MS = 1000;
const LONGEST_LEFT_OUT_MS = 30_000;
/** A host that has not been heard of for this long is asked before it is relied on, and while it works. */
const FRESH_MS = 5000;
const PROBE_MS = 3000;

/** One server: its connections, and whether it answers. */
export class Host {
  readonly url: string;
  readonly client: Client;
  /** Number of its shard in the cluster, from 1; null = not known (yet). */
  shard: number | null = null;
  #leftOutUntil = 0;
  #leftOutMs = 0;
  #heardAt = -Infinity;

  constructor({ url, user, password, maxConnections }: HostOptions) {
    this.url = url;
    this.client = createClient({
      url,
      username: user,
      password,
      request_timeout: SOCKET_TIMEOUT_MS,
      max_open_connections: maxConnections,
      // Node's agent ends idle sockets before the server does; the client's own timer may hit a socket in use.
      keep_alive: { enabled: true, idle_socket_ttl: 0 },
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  /** Monotonic ms until which others are preferred; 0 = in use. */
  get leftOutUntil(): number {
    return this.#leftOutUntil;
  }

  /** It did not answer: left out for a while, longer each time. */
  failed(): void {
    this.#leftOutMs = Math.min(Math.max(this.#leftOutMs * 2, FIRST_LEFT_OUT_MS), LONGEST_LEFT_OUT_MS);
    this.#leftOutUntil = performance.now() + this.#leftOutMs;
    this.#heardAt = -Infinity;
  }

  #heard(): void {
    this.#leftOutMs = 0;
    this.#leftOutUntil = 0;
    this.#heardAt = performance.now();
  }

  /** Runs `work`. Errors are the port's; ConnectionLost if the server is out of reach. */
  async run<T>(work: (client: Client, signal?: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    try {
      const result = await work(this.client, signal);
      this.#heard();
      return result;
    } catch (error) {
      throw warehouseError(error, signal);
    }
  }

  /**
   * As `run`, where another host could take over: a host that takes connections and then says nothing (hung,
   * or gone without a word) must not hold the work for as long as TCP hopes.
   */
  async runWatched<T>(
    work: (client: Client, signal?: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    if (performance.now() - this.#heardAt > FRESH_MS && !(await this.answers(signal))) {
      signal?.throwIfAborted();
      throw new ConnectionLost(new Error(`${this.url} does not answer`), false);
    }
    const silent = new AbortController();
    const timer = setInterval(async () => {
      const quiet = !(await this.answers()) && !(await this.answers());
      if (quiet) silent.abort(new ConnectionLost(new Error(`${this.url} has gone silent`), true));
    }, FRESH_MS);
    try {
      return await this.run(work, signal ? AbortSignal.any([signal, silent.signal]) : silent.signal);
    } finally {
      clearInterval(timer);
    }
  }

  /** Whether the server answers within 3 s. */
  async answers(signal?: AbortSignal): Promise<boolean> {
    const limit = AbortSignal.timeout(PROBE_MS);
    try {
      const response = await fetch(new URL('/ping', this.url), {
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }
}
