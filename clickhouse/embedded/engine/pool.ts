import { chIdent } from '#kernel';
import { Connection } from './connection.ts';

/** What distinguishes connections: a request gets one with exactly its own. */
export interface Identity {
  readonly database: string;
  /** `--name=value` for every setting. */
  readonly args: readonly string[];
}

/** A connection in use by one request. */
export interface Lease {
  readonly connection: Connection;
  /** The mark by which the engine finds what runs on it. */
  readonly mark: string;
  /** `clean`: the statement succeeded and left no setting, database or temporary table behind. */
  release(clean: boolean): void;
}

interface Idle {
  readonly key: string;
  readonly connection: Connection;
  readonly mark: string;
}

/**
 * Keeps connections that were left clean for the next request of the same identity. Opening one costs the
 * engine about half a millisecond, so this is thrift, not necessity: what is not surely clean is closed.
 */
export class ConnectionPool {
  readonly #base: readonly string[];
  readonly #most: number;
  readonly #idle: Idle[] = [];
  readonly #closing = new Set<Promise<void>>();
  #opened = 0;

  constructor(base: readonly string[], most: number) {
    this.#base = base;
    this.#most = most;
  }

  /** Null if the engine refused the settings. Rejects with its exception for an unknown database. */
  async lease(identity: Identity): Promise<Lease | null> {
    const key = JSON.stringify(identity);
    const at = this.#idle.findLastIndex((idle) => idle.key === key);
    if (at >= 0) return this.#lease(this.#idle.splice(at, 1)[0]!);
    this.#opened += 1;
    const mark = `bac-${this.#opened}`;
    const connection = await Connection.open([...this.#base, ...identity.args, `--log_comment=${mark}`]);
    if (!connection) return null;
    const lease = this.#lease({ key, connection, mark });
    try {
      if (identity.database !== '') await connection.run(`USE ${chIdent(identity.database)}`);
      return lease;
    } catch (error) {
      lease.release(false);
      throw error;
    }
  }

  /** Closes all idle connections and waits for those being closed. */
  async close(): Promise<void> {
    for (const { connection } of this.#idle.splice(0)) this.#discard(connection);
    await Promise.all(this.#closing);
  }

  #lease(entry: Idle): Lease {
    return {
      connection: entry.connection,
      mark: entry.mark,
      release: (clean) => {
        if (!clean) return this.#discard(entry.connection);
        this.#idle.push(entry);
        if (this.#idle.length > this.#most) this.#discard(this.#idle.shift()!.connection);
      },
    };
  }

  #discard(connection: Connection): void {
    const closed = connection.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}
