import type pg from 'pg';
import { tableKey } from '#kernel';
import {
  connectSource,
  profileOf,
  type SourceKind,
  type SourceProfile,
  sessionSql,
} from '../catalog/index.ts';
import { parseLsn } from '../pgoutput/index.ts';
import { sourceError } from '../replication/index.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

const WRITERS_SQL = `
WITH RECURSIVE part(oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2
  UNION ALL SELECT i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.oid)
SELECT DISTINCT l.virtualtransaction AS writer FROM pg_locks l
WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  AND l.relation IN (SELECT oid FROM part)
  AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`;

const RUNNING_SQL = `SELECT 1 FROM pg_locks WHERE locktype = 'transactionid' AND granted
  AND transactionid::text = ANY ($1) LIMIT 1`;

/**
 * The session's ordinary connection to the source for catalog, slot and clock. Uses are serialised,
 * so that nobody's statement falls into another's transaction.
 */
export class SourceClient {
  readonly profile: SourceProfile;
  readonly #client: pg.Client;
  #last: Promise<unknown> = Promise.resolve();
  /** Until when changes of a table just published may be missing from the stream, by the monotonic clock. */
  readonly #unheard = new Map<string, number>();

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
    let client: pg.Client | undefined;
    try {
      const config = { application_name: 'bac-capture-catalog', keepAlive: true };
      client = await connectSource(url, config, (error) => onLost(sourceError(error)));
      await client.query(sessionSql());
    } catch (error) {
      await client?.end().catch(() => undefined); // never was whole
      throw sourceError(error);
    }
    return new SourceClient(client, profileOf(kind, url));
  }

  /** Runs `work` with the connection for itself. */
  use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const next = this.#last.then(() => work(this.#client));
    this.#last = next.catch(() => undefined); // the caller gets the error; the queue goes on
    return next;
  }

  /** Durable write position now; 0 where the source cannot tell. */
  async position(): Promise<number> {
    const sql = this.profile.durablePosition;
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

  /**
   * Commits a transaction that changes no table and gives a position below its end, which a reader that is
   * told of it comes past; null = this source cannot, or not with the user's rights.
   */
  async nudge(): Promise<number | null> {
    const sql = this.profile.nudge;
    if (sql === null) return null;
    try {
      const { rows } = await this.use((client) => client.query<{ lsn: string }>(sql));
      return parseLsn(rows[0]!.lsn);
    } catch (error) {
      if ((error as { code?: string }).code === INSUFFICIENT_PRIVILEGE) return null;
      throw sourceError(error);
    }
  }

  /**
   * These tables were just added to the publication of a slot that is already there: where the server
   * takes notice late, their changes until then are lost, and only a snapshot after it is whole.
   */
  async published(tables: readonly { readonly schema: string; readonly table: string }[]): Promise<void> {
    const { publicationDelayMs, publicationDelayOff } = this.profile;
    if (publicationDelayMs === 0 || tables.length === 0) return;
    if (publicationDelayOff !== null) {
      const { rows } = await this.use((client) => client.query<{ off: boolean | null }>(publicationDelayOff));
      if (rows[0]?.off === true) return;
    }
    for (const table of tables) this.#unheard.set(tableKey(table), performance.now() + publicationDelayMs);
  }

  /**
   * Marks the transactions that have written to the table and are still open; the function given tells
   * whether all of them have ended. Writers hold their lock on the table until they are visible.
   */
  async writersGone(schema: string, table: string): Promise<() => Promise<boolean>> {
    if (this.profile.inFlight === null) {
      const heard = this.#unheard.get(tableKey({ schema, table })) ?? 0;
      return async () => performance.now() >= heard;
    }
    const writers = async (): Promise<string[]> => {
      const { rows } = await this.use((client) =>
        client.query<{ writer: string }>(WRITERS_SQL, [schema, table]),
      );
      return rows.map(({ writer }) => writer);
    };
    const marked = new Set(await writers());
    return async () => marked.size === 0 || !(await writers()).some((writer) => marked.has(writer));
  }

  /**
   * True if one of these transactions, which the stream has told of, cannot be seen by others yet: a commit is in
   * the stream a moment before. False where the source cannot tell.
   */
  async isSomeRunning(xids: Iterable<number>): Promise<boolean> {
    if (this.profile.inFlight === null) return false;
    const { rowCount } = await this.use((client) => client.query(RUNNING_SQL, [[...xids].map(String)]));
    return rowCount !== 0;
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined); // already broken
  }
}
