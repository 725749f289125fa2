import type { ChangeLog, Logger, LogPosition, Registry, TableEntry, TableId, TableSchema } from '#kernel';
import { controlBatch, tableKey } from '#kernel';
import type { CatalogTable } from '../catalog/index.ts';
import type { SourceCatalog } from './source-catalog.ts';
import { type CapturedTable, newTable, sinceOf } from './table.ts';

export interface RegistrationOptions {
  readonly source: string;
  readonly catalog: SourceCatalog;
  readonly registry: Registry;
  readonly log: ChangeLog;
  readonly logger: Logger;
  readonly topic: {
    readonly partitions: number;
    readonly retentionMs?: number;
    readonly retentionBytes?: number;
  };
  /** The table (re)begins: snapshot it once `ready` says true. */
  readonly onSnapshot: (table: CapturedTable, schema: TableSchema, ready: () => Promise<boolean>) => void;
  /** Its running snapshot is no longer wanted. */
  readonly onCancel: (table: CapturedTable) => void;
  /** Some table waits for transactions. Nothing tells of their end: `TableBook.endWaiting` has to be called now and then. */
  readonly onWaiting: () => void;
  /** Set where events do not say their generation: where that of a table that begins now begins in the log. */
  readonly from?: (topic: string) => Promise<LogPosition>;
}

const WAITING = {
  code: 'TABLE_WAITING',
  message: 'Transactions that wrote to the table before it was published are still open.',
  next: 'Nothing, or end them: the snapshot begins when they have ended.',
} as const;

const ALWAYS = async (): Promise<boolean> => true;

/** Registers the tables of one source: each begins, goes on, waits, or is gone. */
export class Registration {
  readonly tables = new Map<string, CapturedTable>();
  readonly #options: RegistrationOptions;
  /** Tables that a lock kept out of the publication: they begin once they are in it, whoever brings that about. */
  readonly #locked = new Set<string>();
  /** Tables that begin when these transactions have ended. */
  readonly #waiting = new Map<string, () => Promise<boolean>>();

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  isWaiting(key: string): boolean {
    return this.#waiting.has(key);
  }

  get hasLocked(): boolean {
    return this.#locked.size > 0;
  }

  /** True if the table was kept out of the publication and is in it now. */
  wasLocked(key: string): boolean {
    return this.#locked.has(key) && !this.#options.catalog.isPending(key);
  }

  get hasWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** True if the waiting of some table is over. */
  async isSomeReady(): Promise<boolean> {
    for (const gone of this.#waiting.values()) if (await gone()) return true;
    return false;
  }

  /** Tables whose waiting is over; they may begin now. */
  async endWaiting(): Promise<ReadonlySet<string>> {
    const ended = new Set<string>();
    for (const [key, gone] of this.#waiting) if (await gone()) ended.add(key);
    for (const key of ended) this.#waiting.delete(key);
    return ended;
  }

  /** Tells the sinks to look at the tables again. */
  async tell(...ids: readonly TableId[]): Promise<void> {
    if (ids.length === 0) return;
    const messages = ids.map(
      ({ source, schema, table }) => ({ type: 'table', source, schema, table }) as const,
    );
    await this.#options.log.append([controlBatch(...messages)]);
  }

  /** Published just now: changes made before that are not in the stream, even of later commits. */
  isNew(key: string, entry: TableEntry | undefined): boolean {
    return !this.#options.catalog.wasPublished(key) || entry?.error?.code === WAITING.code;
  }

  /**
   * True while transactions are open that wrote to the table before it was published: the stream shows
   * them in part. The table begins once they have ended, and drops what it hears of them (SPEC 6).
   */
  async waits(found: CatalogTable, entry: TableEntry | undefined): Promise<boolean> {
    const { catalog, registry, source } = this.#options;
    const gone = await catalog.client.writersGone(found.schema.schema, found.schema.table);
    if (found.reason !== null || (await gone())) return false;
    const id: TableId = { source, schema: found.schema.schema, table: found.schema.table };
    const key = tableKey(id);
    const table = this.tables.get(key) ?? newTable(id, await this.#ensureTopic(id));
    this.tables.set(key, table);
    table.muted = true;
    for (const route of table.routes) route.encoder = null;
    this.#waiting.set(key, gone);
    await registry.upsertTable({
      ...id,
      topic: table.topic,
      state: 'pending',
      generation: entry?.generation ?? 0,
      version: entry?.version ?? 0,
      snapshotRows: 0,
      estimatedRows: found.estimatedRows,
      error: WAITING,
    });
    await this.tell(id);
    this.#options.onWaiting();
    return true;
  }

  /** Lets the table go on where it was, or begin anew at `position` with a new generation. */
  async take(
    found: CatalogTable,
    entry: TableEntry | undefined,
    anew: boolean,
    position: number,
  ): Promise<void> {
    const { catalog, registry, source } = this.#options;
    const id: TableId = { source, schema: found.schema.schema, table: found.schema.table };
    const key = tableKey(id);
    const table = this.tables.get(key) ?? newTable(id, await this.#ensureTopic(id));
    this.tables.set(key, table);
    this.#locked.delete(key);
    if (found.reason) {
      table.muted = true;
      await registry.upsertTable({
        ...id,
        topic: table.topic,
        state: 'unsupported',
        generation: entry?.generation ?? 0,
        version: entry?.version ?? 0,
        snapshotRows: 0,
        estimatedRows: found.estimatedRows,
        error: found.reason,
      });
      await this.tell(id);
      return;
    }
    if (entry && table.versions.length === 0) await this.#remember(table, entry);
    const latest = table.versions.at(-1);
    const resumes =
      !anew &&
      entry !== undefined &&
      latest !== undefined &&
      (latest.origin === undefined || latest.origin.oid === found.oid) &&
      !this.isNew(key, entry) &&
      (entry.state === 'pending' ||
        // Changes made while somebody had taken it out of the publication are lost.
        (catalog.wasPublished(key) && (entry.state === 'streaming' || entry.state === 'snapshotting')));
    const pending = catalog.isPending(key);
    if (pending) this.#locked.add(key);
    if (resumes) {
      if (entry.state === 'snapshotting') this.#options.onSnapshot(table, latest, ALWAYS);
      else if (!pending && entry.state === 'pending') await this.#snapshot(table, latest);
      return;
    }
    this.#options.onCancel(table);
    const generation = (entry?.generation ?? 0) + 1;
    const version = (entry?.version ?? 0) + 1;
    const begins: TableEntry = {
      ...id,
      topic: table.topic,
      state: 'pending',
      generation,
      version,
      snapshotRows: 0,
      estimatedRows: found.estimatedRows,
      error: null,
    };
    const since = { commit: position, change: 0, snapshot: true };
    table.partitions = await this.#ensureTopic(id);
    let schema: TableSchema = { ...found.schema, version, since, partitions: table.partitions };
    const { from } = this.#options;
    if (from) {
      // The generation is told before its place in the log is taken, so that no sink can have counted an
      // event behind that place among the generation before.
      await registry.upsertTable(begins);
      schema = { ...schema, from: await from(table.topic) };
    }
    await registry.addVersion(schema);
    if (!from) await registry.upsertTable(begins);
    table.generation = generation;
    table.versions = [schema];
    table.muted = false;
    table.failedAt = null;
    for (const route of table.routes) route.encoder = null;
    await this.tell(id);
    if (!pending) await this.#snapshot(table, schema);
  }

  async gone(entry: TableEntry): Promise<void> {
    const { registry, source } = this.#options;
    const id: TableId = { source, schema: entry.schema, table: entry.table };
    const key = tableKey(id);
    let table = this.tables.get(key);
    if (!table) {
      table = newTable(id, await this.#ensureTopic(id));
      this.tables.set(key, table);
      // Changes made before the drop may still be in the stream.
      if (entry.generation > 0) await this.#remember(table, entry);
    }
    this.#locked.delete(key);
    this.#options.onCancel(table);
    if (entry.state === 'dropped') return;
    this.#options.logger.warn({ table: key }, 'table was dropped at the source');
    await registry.updateTable(id, { state: 'dropped' });
    await this.tell(id);
  }

  /** Changes made before the table was published are not in the stream: their writers have to end first. */
  async #snapshot(table: CapturedTable, schema: TableSchema): Promise<void> {
    const ready = await this.#options.catalog.client.writersGone(schema.schema, schema.table);
    this.#options.onSnapshot(table, schema, ready);
  }

  /** The shapes since the newest snapshot, as stored. */
  async #remember(table: CapturedTable, entry: TableEntry): Promise<void> {
    const { registry } = this.#options;
    const versions: TableSchema[] = [];
    for (let number = entry.version; number > 0; number -= 1) {
      const schema = await registry.version(table.id, number);
      if (!schema) break;
      versions.unshift(schema);
      if (sinceOf(schema).snapshot) break;
    }
    table.versions = versions;
    table.generation = entry.generation;
    // A topic made anew may have fewer.
    table.partitions = Math.min(versions[0]?.partitions ?? table.partitions, table.partitions);
  }

  async #ensureTopic(id: TableId): Promise<number> {
    const { log, topic } = this.#options;
    const { topic: name } = newTable(id, 0);
    await log.ensureTopic(name, topic);
    const info = (await log.topics(name)).find((candidate) => candidate.topic === name);
    return info?.partitions ?? topic.partitions;
  }
}
