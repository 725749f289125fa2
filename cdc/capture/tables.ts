import {
  type ChangeLog,
  type Logger,
  type Registry,
  type TableEntry,
  type TableId,
  type TableSchema,
  tableKey,
  toHubError,
} from '#kernel';
import { alignRelation, type CatalogTable, introspectTables } from '../catalog/index.ts';
import type { Relation } from '../pgoutput/index.ts';
import { ensurePublication, type Publication, publicationsOf } from '../slots/index.ts';
import { controlBatch } from './control.ts';
import type { SourceClient } from './source-client.ts';
import { type CapturedTable, newTable, precedes, type Route, shapeAt, sinceOf } from './table.ts';

export interface TableBookOptions {
  readonly source: string;
  readonly client: SourceClient;
  readonly registry: Registry;
  readonly log: ChangeLog;
  readonly logger: Logger;
  /** Asked for by the operator; undefined = all. */
  readonly wanted: readonly string[] | undefined;
  readonly topic: {
    readonly partitions: number;
    readonly retentionMs?: number;
    readonly retentionBytes?: number;
  };
  /** The table (re)begins: snapshot it once `ready` says true. */
  readonly onSnapshot: (table: CapturedTable, schema: TableSchema, ready: () => Promise<boolean>) => void;
  /** Its running snapshot is no longer wanted. */
  readonly onCancel: (table: CapturedTable) => void;
}

/** What the stream would say of the table if a row were written now. */
const relationOf = ({ oid, schema, attributes }: CatalogTable): Relation => ({
  oid,
  schema: schema.schema,
  table: schema.table,
  identity: schema.fullIdentity ? 'f' : schema.keyRule === 'replica-index' ? 'i' : 'd',
  columns: attributes
    .filter(({ published }) => published)
    .map(({ name, typeOid, typmod }) => ({
      name,
      typeOid,
      typmod,
      partOfKey: schema.fullIdentity || schema.key.includes(name),
    })),
});

const WAITING = {
  code: 'TABLE_WAITING',
  message: 'Transactions that wrote to the table before it was published are still open.',
  next: 'Nothing, or end them: the snapshot begins when they have ended.',
} as const;

const ALWAYS = async (): Promise<boolean> => true;

/** The tables of one source while a session runs: registration, shapes, new beginnings. */
export class TableBook {
  readonly #options: TableBookOptions;
  readonly #tables = new Map<string, CapturedTable>();
  #catalog = new Map<string, CatalogTable>();
  /** Shapes in the catalog that the stream has not told of. */
  readonly #drifts = new Map<string, { position: number; version: number; shape: string }>();
  /** Tables that begin when these transactions have ended. */
  readonly #waiting = new Map<string, () => Promise<boolean>>();
  /** What the publication held before it was last brought in line. */
  #published: ReadonlySet<string> = new Set();
  /** Ends with the last change under way: one at a time, lest two give the same number to different shapes. */
  #last: Promise<unknown> = Promise.resolve();
  #publication: Publication = { names: [], discovers: false, pending: [] };

  constructor(options: TableBookOptions) {
    this.#options = options;
  }

  get tables(): IterableIterator<CapturedTable> {
    return this.#tables.values();
  }

  get publication(): Publication {
    return this.#publication;
  }

  /** True if the operator asked for this table. The hub's own schema never is captured. */
  wants(schema: string, table: string): boolean {
    if (schema === 'bac') return false;
    const { wanted } = this.#options;
    if (!wanted) return true;
    return wanted.some((name) => {
      const full = name.includes('.') ? name : `public.${name}`;
      return full === `${schema}.${table}` || full === `${schema}.*`;
    });
  }

  /** Publishes what is to be captured; before the slot is made, and again when tables come and go. */
  async publish(): Promise<void> {
    const { client, source, wanted } = this.#options;
    const { changes } = publicationsOf(source);
    await client.use(async (connection) => {
      const { rows } = await connection.query<{ schema: string; table: string }>(
        // Not pg_publication_tables: that waits for locked tables.
        `SELECT n.nspname AS schema, c.relname AS table FROM pg_publication p
         JOIN pg_publication_rel r ON r.prpubid = p.oid JOIN pg_class c ON c.oid = r.prrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1`,
        [changes],
      );
      this.#published = new Set(rows.map(tableKey));
      const chosen = wanted
        ? (await introspectTables(connection, source))
            .map(({ schema }) => schema)
            .filter(({ schema, table }) => this.wants(schema, table))
        : 'all';
      this.#publication = await ensurePublication(connection, source, chosen, client.profile);
    });
  }

  /**
   * Takes up every table at the beginning of a session. `fresh`: the slot is new, so that changes may
   * be missing and every table begins anew.
   */
  async open(fresh: boolean, again: ReadonlySet<string>): Promise<void> {
    const { registry, source } = this.#options;
    const position = await this.#options.client.position();
    await this.#look();
    const entries = new Map((await registry.tables(source)).map((entry) => [tableKey(entry), entry]));
    for (const [key, found] of this.#catalog) {
      const anew = fresh || again.has(key) || again.has('*');
      // A new slot waited for the transactions that were open: it misses nothing.
      const entry = entries.get(key);
      if (!fresh && this.#isNew(key, entry) && (await this.#waits(found, entry))) continue;
      await this.#take(
        found,
        entry,
        anew,
        this.#isNew(key, entry) ? await this.#options.client.position() : position,
      );
    }
    for (const [key, entry] of entries) {
      if (!this.#catalog.has(key)) await this.#gone(entry);
    }
  }

  /**
   * Looks through the catalog for tables that came, went, were made again, changed without a row to
   * tell of it, or can be captured now; retries failed ones. `passed`: the stream is durable up to here.
   */
  rescan(retryFailedAfterMs: number, passed: number): Promise<void> {
    return this.#alone(() => this.#rescan(retryFailedAfterMs, passed));
  }

  async #rescan(retryFailedAfterMs: number, passed: number): Promise<void> {
    const { registry, client } = this.#options;
    const ended = new Set<string>();
    for (const [key, gone] of this.#waiting) if (await gone()) ended.add(key);
    for (const key of ended) this.#waiting.delete(key);
    const position = await client.position();
    const before = this.#catalog;
    await this.#look();
    const news = new Set<string>();
    for (const [key, found] of this.#catalog) {
      const table = this.#tables.get(key);
      const retry = table?.failedAt != null && performance.now() - table.failedAt > retryFailedAfterMs;
      const changed = (before.get(key)?.reason === null) !== (found.reason === null);
      const origin = table?.versions.at(-1)?.origin;
      const remade = origin !== undefined && origin.oid !== found.oid;
      if (this.#waiting.has(key)) continue;
      if (!table || retry || changed || remade || ended.has(key)) news.add(key);
      else if (await this.#drifted(table, found, position, passed)) news.add(key);
    }
    for (const table of [...this.#tables.values()]) {
      const key = tableKey(table.id);
      if (!before.has(key) || this.#catalog.has(key)) continue;
      const entry = await registry.table(table.id);
      if (entry) await this.#gone(entry);
    }
    const pending = new Set(this.#publication.pending.map(tableKey));
    if (news.size === 0 && pending.size === 0) return;
    await this.publish();
    for (const waiting of this.#publication.pending) pending.delete(tableKey(waiting));
    for (const [key, found] of this.#catalog) {
      if (!news.has(key) && !pending.has(key)) continue;
      const entry = (await registry.table(found.schema)) ?? undefined;
      if (!ended.has(key) && this.#isNew(key, entry) && (await this.#waits(found, entry))) continue;
      // Read after the writers have ended: what they committed is in the snapshot, and only there.
      await this.#take(found, entry, true, this.#isNew(key, entry) ? await client.position() : position);
    }
  }

  /**
   * A table whose shape changed while nobody writes to it: no message tells of it. Once the stream has
   * passed the moment at which the catalog was seen to differ, the change is taken from the catalog.
   * True: the table has to begin anew.
   */
  async #drifted(
    table: CapturedTable,
    found: CatalogTable,
    position: number,
    passed: number,
  ): Promise<boolean> {
    const key = tableKey(table.id);
    const latest = table.versions.at(-1);
    if (!latest || table.muted || this.#options.client.profile.currentPosition === null) return false;
    const { change, schema } = alignRelation(latest, relationOf(found), found);
    const noted = this.#drifts.get(key);
    this.#drifts.delete(key);
    if (change === 'same') return false;
    const shape = JSON.stringify(schema.columns);
    if (!noted || noted.version !== latest.version || noted.shape !== shape) {
      this.#drifts.set(key, { position, version: latest.version, shape });
      return false;
    }
    if (passed < noted.position) {
      this.#drifts.set(key, noted);
      return false;
    }
    if (change === 'resnapshot') return true;
    await this.#newVersion(table, {
      ...schema,
      version: latest.version + 1,
      since: { commit: noted.position, change: 0, snapshot: false },
    });
    for (const route of table.routes) route.encoder = null;
    return false;
  }

  async #newVersion(table: CapturedTable, schema: TableSchema): Promise<void> {
    const { registry, logger } = this.#options;
    logger.info({ table: tableKey(table.id), version: schema.version }, 'table has a new shape');
    await registry.addVersion(schema);
    await registry.updateTable(table.id, { version: schema.version });
    table.versions.push(schema);
    await this.tell(table.id);
  }

  /** The table for a relation of the stream; makes one known that the catalog has and nobody saw yet. */
  async tableFor(relation: Relation): Promise<CapturedTable | null> {
    if (!this.wants(relation.schema, relation.table)) return null;
    const known = this.#tables.get(tableKey(relation));
    if (known) return known;
    await this.rescan(Number.POSITIVE_INFINITY, 0);
    return this.#tables.get(tableKey(relation)) ?? null;
  }

  /**
   * The shape of rows under `route.relation` at this position; null = skip them. Stores a new version
   * before it is used for the first time (SPEC 5).
   */
  resolve(route: Route, table: CapturedTable, commit: number, change: number): Promise<TableSchema | null> {
    return this.#alone(() => this.#resolve(route, table, commit, change));
  }

  async #resolve(
    route: Route,
    table: CapturedTable,
    commit: number,
    change: number,
  ): Promise<TableSchema | null> {
    // It may have begun anew while this waited.
    if (table.muted || precedes(table, commit)) return null;
    const index = shapeAt(table, commit, change);
    const candidate = table.versions[index];
    if (!candidate) return null;
    if (index < table.versions.length - 1) {
      // Read again after a restart: the shape is known from the first time.
      route.until = sinceOf(table.versions[index + 1]!).commit;
      return candidate;
    }
    route.until = Number.POSITIVE_INFINITY;
    const key = tableKey(table.id);
    let alignment = alignRelation(candidate, route.relation, this.#catalog.get(key) ?? null);
    if (alignment.change !== 'same') {
      await this.#look();
      alignment = alignRelation(candidate, route.relation, this.#catalog.get(key) ?? null);
    }
    if (alignment.change === 'same') return candidate;
    const { logger, registry } = this.#options;
    if (alignment.change === 'resnapshot') {
      const found = this.#catalog.get(key);
      logger.warn({ table: key, details: alignment.details }, 'table is snapshotted again');
      if (found) await this.#begin(table);
      else {
        const entry = await registry.table(table.id);
        if (entry) await this.#gone(entry);
      }
      return null;
    }
    const schema: TableSchema = {
      ...alignment.schema,
      version: candidate.version + 1,
      since: { commit, change, snapshot: false },
    };
    await this.#newVersion(table, schema);
    return schema;
  }

  /**
   * A new generation of the table from its present shape: changes committed before the position are in
   * the snapshot, later ones are streamed with the new generation.
   */
  begin(table: CapturedTable): Promise<void> {
    return this.#alone(() => this.#begin(table));
  }

  async #begin(table: CapturedTable): Promise<void> {
    const position = await this.#options.client.position();
    await this.#look();
    await this.publish();
    const found = this.#catalog.get(tableKey(table.id));
    const entry = await this.#options.registry.table(table.id);
    if (found) await this.#take(found, entry ?? undefined, true, position);
    else if (entry) await this.#gone(entry);
  }

  /** Stops one table with its reason; the others go on (SPEC 8). */
  async fail(table: CapturedTable, thrown: unknown): Promise<void> {
    const error = toHubError(thrown);
    this.#options.logger.error({ table: tableKey(table.id), err: error }, 'table failed');
    table.muted = true;
    table.failedAt = performance.now();
    for (const route of table.routes) route.encoder = null;
    await this.#options.registry.updateTable(table.id, { state: 'failed', error: shown(error) });
    await this.tell(table.id);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined); // the caller gets the error; the queue goes on
    return next;
  }

  async tell(id: TableId): Promise<void> {
    const { source, schema, table } = id;
    await this.#options.log.append([controlBatch({ type: 'table', source, schema, table })]);
  }

  async #look(): Promise<void> {
    const { client, source } = this.#options;
    const found = await client.use((connection) => introspectTables(connection, source));
    this.#catalog = new Map(
      found
        .filter(({ schema }) => this.wants(schema.schema, schema.table))
        .map((table) => [tableKey(table.schema), table]),
    );
  }

  /** Published just now: changes made before that are not in the stream, even of later commits. */
  #isNew(key: string, entry: TableEntry | undefined): boolean {
    return !this.#published.has(key) || entry?.error?.code === WAITING.code;
  }

  /**
   * True while transactions are open that wrote to the table before it was published: the stream shows
   * them in part. The table begins once they have ended, and drops what it hears of them (SPEC 6).
   */
  async #waits(found: CatalogTable, entry: TableEntry | undefined): Promise<boolean> {
    const { client, registry, source } = this.#options;
    const gone = await client.writersGone(found.schema.schema, found.schema.table);
    if (found.reason !== null || (await gone())) return false;
    const id: TableId = { source, schema: found.schema.schema, table: found.schema.table };
    const key = tableKey(id);
    const table = this.#tables.get(key) ?? newTable(id, await this.#ensureTopic(id));
    this.#tables.set(key, table);
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
    return true;
  }

  async #take(
    found: CatalogTable,
    entry: TableEntry | undefined,
    anew: boolean,
    position: number,
  ): Promise<void> {
    const { registry, source } = this.#options;
    const id: TableId = { source, schema: found.schema.schema, table: found.schema.table };
    const key = tableKey(id);
    const table = this.#tables.get(key) ?? newTable(id, await this.#ensureTopic(id));
    this.#tables.set(key, table);
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
      !this.#isNew(key, entry) &&
      (entry.state === 'pending' ||
        // Changes made while somebody had taken it out of the publication are lost.
        (this.#published.has(key) && (entry.state === 'streaming' || entry.state === 'snapshotting')));
    const pending = this.#publication.pending.some((waiting) => tableKey(waiting) === key);
    if (resumes) {
      if (entry.state === 'snapshotting') this.#options.onSnapshot(table, latest, ALWAYS);
      else if (!pending && entry.state === 'pending') await this.#snapshot(table, latest);
      return;
    }
    const schema: TableSchema = {
      ...found.schema,
      version: (entry?.version ?? 0) + 1,
      since: { commit: position, change: 0, snapshot: true },
    };
    this.#options.onCancel(table);
    const generation = (entry?.generation ?? 0) + 1;
    await registry.addVersion(schema);
    await registry.upsertTable({
      ...id,
      topic: table.topic,
      state: 'pending',
      generation,
      version: schema.version,
      snapshotRows: 0,
      estimatedRows: found.estimatedRows,
      error: null,
    });
    table.generation = generation;
    table.versions = [schema];
    table.muted = false;
    table.failedAt = null;
    for (const route of table.routes) route.encoder = null;
    await this.tell(id);
    if (!pending) await this.#snapshot(table, schema);
  }

  /** Changes made before the table was published are not in the stream: their writers have to end first. */
  async #snapshot(table: CapturedTable, schema: TableSchema): Promise<void> {
    const ready = await this.#options.client.writersGone(schema.schema, schema.table);
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
  }

  async #gone(entry: TableEntry): Promise<void> {
    const { registry, source } = this.#options;
    const id: TableId = { source, schema: entry.schema, table: entry.table };
    const key = tableKey(id);
    let table = this.#tables.get(key);
    if (!table) {
      table = newTable(id, await this.#ensureTopic(id));
      this.#tables.set(key, table);
      // Changes made before the drop may still be in the stream.
      if (entry.generation > 0) await this.#remember(table, entry);
    }
    this.#options.onCancel(table);
    if (entry.state === 'dropped') return;
    this.#options.logger.warn({ table: key }, 'table was dropped at the source');
    await registry.updateTable(id, { state: 'dropped' });
    await this.tell(id);
  }

  async #ensureTopic(id: TableId): Promise<number> {
    const { log, topic } = this.#options;
    const { topic: name } = newTable(id, 0);
    await log.ensureTopic(name, topic);
    const info = (await log.topics(name)).find((candidate) => candidate.topic === name);
    return info?.partitions ?? topic.partitions;
  }
}

const shown = (error: ReturnType<typeof toHubError>): NonNullable<TableEntry['error']> => ({
  code: error.code,
  message: error.message,
  ...(error.next === undefined ? {} : { next: error.next }),
});
