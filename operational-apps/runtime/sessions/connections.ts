import pg from 'pg';
import { HubError, type Logger } from '#kernel';

/** Connections kept at hand: given away and taken back without the pool's queue and timers. */
const AT_HAND = 2;

/** The engine's connections: `pg`'s pool, before which the few used last lie at hand. */
export class Connections {
  readonly #pool: pg.Pool;
  readonly #queue: number;
  readonly #atHand: pg.PoolClient[] = [];
  readonly #dead = new WeakSet<pg.PoolClient>();
  #closing = false;

  /** `queue`: calls that may wait before the next is refused. */
  constructor(config: pg.PoolConfig, queue: number, logger: Logger) {
    this.#queue = queue;
    this.#pool = new pg.Pool(config);
    const lost = (error: Error): void =>
      logger.warn({ error: error.message }, 'a connection of the apps was lost');
    this.#pool.on('error', lost);
    this.#pool.on('connect', (client) =>
      client.on('error', (error) => {
        this.#dead.add(client);
        // One that breaks while it is in use fails its statement.
        const at = this.#atHand.indexOf(client);
        if (at < 0) return;
        this.#atHand.splice(at, 1);
        client.release(true);
        lost(error);
      }),
    );
  }

  /** BUSY (transient) when too many wait, or one has waited too long. */
  async take(): Promise<pg.PoolClient> {
    const client = this.#atHand.pop();
    if (client) return client;
    if (this.#pool.waitingCount >= this.#queue) throw busy();
    try {
      return await this.#pool.connect();
    } catch (cause) {
      if (cause instanceof Error && cause.message.includes('timeout exceeded when trying to connect'))
        throw busy(cause);
      throw cause;
    }
  }

  /** `broken`: it is closed. */
  giveBack(client: pg.PoolClient, isBroken = false): void {
    const broken = isBroken || this.#dead.has(client);
    const wanted = this.#pool.waitingCount > 0 || this.#atHand.length >= AT_HAND || this.#closing;
    if (broken || wanted) client.release(broken);
    else this.#atHand.push(client);
  }

  /** Waits for what is in use. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const client of this.#atHand.splice(0)) client.release();
    await this.#pool.end();
  }
}

const busy = (cause?: unknown): HubError =>
  new HubError('BUSY', 'Too many requests are waiting for the database.', {
    disposition: 'transient',
    next: 'Try again in a moment.',
    cause,
  });
