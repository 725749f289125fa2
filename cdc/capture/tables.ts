import { type TableEntry, type TableId, type TableSchema, tableKey, toHubError } from '#kernel';
import type { CatalogTable } from '../catalog/index.ts';
import type { Relation } from '../pgoutput/index.ts';
import type { Publication } from '../slots/index.ts';
import { Registration, type RegistrationOptions } from './registration.ts';
import { Shapes } from './shapes.ts';
import { SourceCatalog, type SourceCatalogOptions } from './source-catalog.ts';
import { type CapturedTable, precedes, type Route } from './table.ts';

/** In these states a table goes on where it was. */
const CAPTURED: ReadonlySet<TableEntry['state']> = new Set(['pending', 'snapshotting', 'streaming']);

export type TableBookOptions = Omit<RegistrationOptions, 'catalog'> & SourceCatalogOptions;

/**
 * The tables of one source while a session runs: which there are (source-catalog.ts), how each begins
 * and ends (registration.ts), what shape its rows have (shapes.ts); one change at a time.
 */
export class TableBook {
  readonly #options: TableBookOptions;
  readonly #catalog: SourceCatalog;
  readonly #registration: Registration;
  readonly #shapes: Shapes;
  /** Ends with the last change under way: one at a time, lest two give the same number to different shapes. */
  #last: Promise<unknown> = Promise.resolve();
  /** Transactions with rows of tables that the catalog does not show: they may not be visible yet. */
  readonly #unseen = new Set<number>();

  constructor(options: TableBookOptions) {
    this.#options = options;
    this.#catalog = new SourceCatalog(options);
    this.#registration = new Registration({ ...options, catalog: this.#catalog });
    const { registry, logger } = options;
    const tell = (id: TableId): Promise<void> => this.tell(id);
    this.#shapes = new Shapes({ catalog: this.#catalog, registry, logger, tell });
  }

  get tables(): IterableIterator<CapturedTable> {
    return this.#registration.tables.values();
  }

  /** A table by `schema.table`, once taken up. */
  table(key: string): CapturedTable | undefined {
    return this.#registration.tables.get(key);
  }

  get publication(): Publication {
    return this.#catalog.publication;
  }

  /** Publishes what is to be captured; before the slot is made, and again when tables come and go. */
  publish(): Promise<void> {
    return this.#catalog.publish();
  }

  /** Tells the sinks to look at the tables again. */
  tell(...ids: readonly TableId[]): Promise<void> {
    return this.#registration.tell(...ids);
  }

  /**
   * Takes up every table at the beginning of a session. `fresh`: the slot is new, so that changes may
   * be missing and every table begins anew.
   */
  async open(fresh: boolean, again: ReadonlySet<string>): Promise<void> {
    const { registry, source } = this.#options;
    await this.#catalog.look();
    const entries = new Map((await registry.tables(source)).map((entry) => [tableKey(entry), entry]));
    // A new slot waited for the transactions that were open: it misses nothing.
    const waiting = fresh ? new Set<string>() : await this.#waiting(entries);
    const isAnew = (key: string): boolean => fresh || again.has(key) || again.has('*');
    const begins = [...this.#catalog.tables.keys()].filter((key) => {
      const entry = entries.get(key);
      return isAnew(key) || !entry || !CAPTURED.has(entry.state) || this.#registration.isNew(key, entry);
    });
    const position = await this.#catalog.settle(new Set(begins));
    for (const [key, found] of this.#catalog.tables)
      if (!waiting.has(key)) await this.#registration.take(found, entries.get(key), isAnew(key), position);
    for (const [key, entry] of entries) {
      if (!this.#catalog.tables.has(key)) await this.#registration.gone(entry);
    }
    // What the last session had done but could not tell any more.
    await this.tell(...[...this.tables].map((table) => table.id));
  }

  /** Those among the tables that were just published whose writers of before have not ended. */
  async #waiting(
    entries: ReadonlyMap<string, TableEntry>,
    of: ReadonlySet<string> | null = null,
  ): Promise<ReadonlySet<string>> {
    const waiting = new Set<string>();
    for (const [key, found] of this.#catalog.tables) {
      const entry = entries.get(key);
      if ((of && !of.has(key)) || !this.#registration.isNew(key, entry)) continue;
      if (await this.#registration.waits(found, entry)) waiting.add(key);
    }
    return waiting;
  }

  /**
   * Looks through the catalog for tables that came, went, were made again, changed without a row to
   * tell of it, or can be captured now; retries failed ones. `passed`: the stream is durable up to here.
   */
  rescan(retryFailedAfterMs: number, passed: number): Promise<void> {
    return this.#alone(() => this.#rescan(retryFailedAfterMs, passed));
  }

  /** Lets tables begin for which a transaction had to end first. Resolves to whether others wait still. */
  endWaiting(): Promise<boolean> {
    return this.#alone(async () => {
      const seen = this.#unseen.size > 0 && !(await this.#options.client.isSomeRunning(this.#unseen));
      if (seen) this.#unseen.clear();
      if (seen || (await this.#registration.isSomeReady())) await this.#rescan(Number.POSITIVE_INFINITY, 0);
      return this.#registration.hasWaiting || this.#unseen.size > 0;
    });
  }

  async #rescan(retryFailedAfterMs: number, passed: number): Promise<void> {
    const { registry, client, source } = this.#options;
    const ended = await this.#registration.endWaiting();
    const before = this.#catalog.tables;
    await this.#catalog.look();
    // What the catalog shows was committed before it.
    const position = await client.position();
    const news = new Set<string>();
    for (const [key, found] of this.#catalog.tables) {
      const table = this.#registration.tables.get(key);
      const retry = table?.failedAt != null && performance.now() - table.failedAt > retryFailedAfterMs;
      const changed = (before.get(key)?.reason === null) !== (found.reason === null);
      const origin = table?.versions.at(-1)?.origin;
      const remade = origin !== undefined && origin.oid !== found.oid;
      if (this.#registration.isWaiting(key)) continue;
      if (!table || retry || changed || remade || ended.has(key)) news.add(key);
      else if (await this.#drifted(table, found, position, passed)) news.add(key);
    }
    for (const table of [...this.#registration.tables.values()]) {
      const key = tableKey(table.id);
      if (!before.has(key) || this.#catalog.tables.has(key)) continue;
      const entry = await registry.table(table.id);
      if (entry) await this.#registration.gone(entry);
    }
    if (news.size === 0 && !this.#registration.hasLocked) return;
    await this.#catalog.publish();
    const begins = new Set(
      [...this.#catalog.tables.keys()].filter((key) => news.has(key) || this.#registration.wasLocked(key)),
    );
    if (begins.size === 0) return;
    const entries = new Map((await registry.tables(source)).map((entry) => [tableKey(entry), entry]));
    const waiting = await this.#waiting(entries, new Set([...begins].filter((key) => !ended.has(key))));
    // After the writers have ended: what they committed is in the snapshot, and only there.
    const settled = await this.#catalog.settle(begins);
    for (const [key, found] of this.#catalog.tables) {
      if (begins.has(key) && !waiting.has(key))
        await this.#registration.take(found, entries.get(key), true, settled);
    }
  }

  #drifted(table: CapturedTable, found: CatalogTable, position: number, passed: number): Promise<boolean> {
    const named = this.#options.from !== undefined;
    return named ? this.#shapes.named(table, found) : this.#shapes.drifted(table, found, position, passed);
  }

  /**
   * The table for a relation of the stream, which this transaction wrote to; makes one known that the catalog has and
   * nobody saw yet.
   */
  async tableFor(relation: Relation, xid: number): Promise<CapturedTable | null> {
    if (!this.#catalog.wants(relation.schema, relation.table)) return null;
    const known = this.#registration.tables.get(tableKey(relation));
    if (known) return known;
    await this.rescan(Number.POSITIVE_INFINITY, 0);
    const found = this.#registration.tables.get(tableKey(relation));
    if (found) return found;
    this.#unseen.add(xid);
    this.#options.onWaiting();
    return null;
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
    const shape = await this.#shapes.at(route, table, commit, change);
    if (shape !== 'anew') return shape;
    if (this.#catalog.tables.has(tableKey(table.id))) await this.#begin(table);
    else {
      const entry = await this.#options.registry.table(table.id);
      if (entry) await this.#registration.gone(entry);
    }
    return null;
  }

  /**
   * A new generation of the table from its present shape: changes committed before the position are in
   * the snapshot, later ones are streamed with the new generation.
   */
  begin(table: CapturedTable): Promise<void> {
    return this.#alone(() => this.#begin(table));
  }

  async #begin(table: CapturedTable): Promise<void> {
    await this.#catalog.publish();
    const position = await this.#catalog.settle(new Set([tableKey(table.id)]));
    const found = this.#catalog.tables.get(tableKey(table.id));
    const entry = await this.#options.registry.table(table.id);
    if (found) await this.#registration.take(found, entry ?? undefined, true, position);
    else if (entry) await this.#registration.gone(entry);
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
}

const shown = (error: ReturnType<typeof toHubError>): NonNullable<TableEntry['error']> => ({
  code: error.code,
  message: error.message,
  ...(error.next === undefined ? {} : { next: error.next }),
});
