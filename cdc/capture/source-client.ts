import pg from 'pg';
import { profileOf, type SourceKind, type SourceProfile, sessionSql } from '../catalog/index.ts';
import { parseLsn } from '../pgoutput/index.ts';
import { sourceError } from '../replication/index.ts';

/**
 * The session's ordinary connection to the source for catalog, slot and clock. Uses are serialised,
 * so that nobody's statement falls into another's transaction.
 */
export class SourceClient {
  readonly profile: SourceProfile;
  readonly #client: pg.Client;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(client: pg.Client, profile: SourceProfile) {
    this.#client = client;
    this.profile = profile;
  }

  /** `onLost` is called when the connection breaks while nobody uses it. */
  static async connect(
    url: string,
    kind: SourceKind,
    onLost: (error: unknown) => void,
  ): Promise<SourceClient> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'bac-capture-catalog',
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', (error) => onLost(sourceError(error)));
    try {
      await client.connect();
      await client.query(sessionSql());
    } catch (error) {
      await client.end().catch(() => undefined); // never was whole
      throw sourceError(error);
    }
    return new SourceClient(client, profileOf(kind));
  }

  /** Runs `work` with the connection for itself. */
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const next = this.#last.then(() => work(this.#client));
    this.#last = next.catch(() => undefined); // the caller gets the error; the queue goes on
    return next;
  }

  /** Write position now; 0 where the source cannot tell. */
  async position(): Promise<number> {
    const sql = this.profile.currentPosition;
    if (sql === null) return 0;
    const { rows } = await this.use((client) => client.query<{ lsn: string }>(sql));
    return parseLsn(rows[0]!.lsn);
  }

  /** A moment and the position reached by then: what was committed before it is below it. */
  async moment(): Promise<{ position: number; time: number } | null> {
    const sql = this.profile.currentPosition;
    if (sql === null) return null;
    return this.use(async (client) => {
      const clock = await client.query<{ us: string }>(
        'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text AS us',
      );
      const { rows } = await client.query<{ lsn: string }>(sql);
      return { time: Number(clock.rows[0]!.us), position: parseLsn(rows[0]!.lsn) };
    });
  }

  /** Marks the transactions now running; the function given tells whether all of them have ended. */
  async inFlight(): Promise<() => Promise<boolean>> {
    const { inFlight } = this.profile;
    if (inFlight === null) return async () => true;
    const { rows } = await this.use((client) => client.query<{ mark: string }>(inFlight.mark));
    const mark = rows[0]!.mark;
    return async () => {
      const answer = await this.use((client) => client.query<{ passed: boolean }>(inFlight.passed, [mark]));
      return answer.rows[0]!.passed;
    };
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined); // already broken
  }
}
