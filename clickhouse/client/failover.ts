import { setTimeout as pause } from 'node:timers/promises';
import { HubError, type Logger } from '#kernel';
import { ConnectionLost } from './errors.ts';
import type { Client, Host } from './host.ts';

/** Long enough for an embedded engine to be started anew. */
const GIVE_UP_AFTER_MS = 15_000;
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 1000;
/** A replica without Keeper takes no inserts; another one may: TABLE_IS_READ_ONLY, NO_ZOOKEEPER, KEEPER_EXCEPTION. */
const ELSEWHERE = new Set([242, 225, 999]);

export interface Attempt<T> {
  readonly work: (client: Client, signal?: AbortSignal) => Promise<T>;
  /** May be done again although the first time may have had its effect. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Hosts that can do the same work. It stays with one while that answers; one that does not is left out
 * for 1 s to 30 s, and the next takes over.
 */
export class HostPool {
  readonly #hosts: () => readonly Host[];
  readonly #log: Logger;
  #current: Host | null = null;

  /** `hosts`: never empty; asked again for each attempt. */
  constructor(hosts: () => readonly Host[], log: Logger) {
    this.#hosts = hosts;
    this.#log = log;
  }

  /** The present host if it answers, else the next in turn; if none does, the one to be tried again soonest. */
  #choose(): Host {
    const hosts = this.#hosts();
    const now = performance.now();
    // Processes begin at different hosts, so that they share the work.
    const at = this.#current === null ? process.pid : Math.max(0, hosts.indexOf(this.#current));
    const turn = hosts.map((_, index) => hosts[(at + index) % hosts.length]!);
    const host =
      turn.find((candidate) => candidate.leftOutUntil <= now) ??
      turn.reduce((a, b) => (b.leftOutUntil < a.leftOutUntil ? b : a));
    this.#current = host;
    return host;
  }

  /** Whether any of the hosts answers. */
  async answers(): Promise<boolean> {
    const all = await Promise.all(this.#hosts().map((host) => host.answers()));
    return all.includes(true);
  }

  #hasAnother(): boolean {
    const now = performance.now();
    return this.#hosts().some((host) => host.leftOutUntil <= now);
  }

  /**
   * Does the work at some host. While none can be reached it is tried again for 15 s; what is not
   * `repeatable` only if the request surely never reached the server.
   */
  async run<T>({ work, repeatable, signal }: Attempt<T>): Promise<T> {
    const deadline = performance.now() + GIVE_UP_AFTER_MS;
    for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
      signal?.throwIfAborted();
      const host = this.#choose();
      const several = this.#hosts().length > 1;
      try {
        return await (several ? host.runWatched(work, signal) : host.run(work, signal));
      } catch (error) {
        const lost = error instanceof ConnectionLost;
        const elsewhere = several && error instanceof HubError && ELSEWHERE.has(codeOf(error));
        if (!lost && !elsewhere) throw error;
        host.failed();
        const again = lost ? repeatable || !error.sent : repeatable && this.#hasAnother();
        const next = performance.now() + (this.#hasAnother() ? 0 : wait);
        if (!again || next > deadline) throw error;
        this.#log.debug({ err: error, host: host.url }, 'ClickHouse is out of reach, trying again');
        if (!this.#hasAnother()) await pause(wait, undefined, { signal });
      }
    }
  }
}

const codeOf = (error: HubError): number => Number(error.details.clickhouseCode ?? 0);
