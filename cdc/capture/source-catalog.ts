import { HubError, tableKey } from '#kernel';
import { type CatalogTable, introspectTables, type Reason } from '../catalog/index.ts';
import {
  ensurePublication,
  type Publication,
  publicationsOf,
  publishedTables,
  slotNameOf,
  slotStatus,
} from '../slots/index.ts';
import type { SourceClient } from './source-client.ts';

export interface SourceCatalogOptions {
  readonly source: string;
  readonly client: SourceClient;
  /** Asked for by the operator; undefined = all. */
  readonly wanted: readonly string[] | undefined;
  /** Why the engine cannot carry a table that could be captured otherwise; null = it can. */
  readonly refuses?: (table: CatalogTable) => Reason | null;
}

/** Tables that change between all of so many looks are left alone for a while. */
const MOST_LOOKS = 50;

/** What the source has of the tables asked for, and what of them it publishes. */
export class SourceCatalog {
  readonly client: SourceClient;
  readonly #options: SourceCatalogOptions;
  #tables: ReadonlyMap<string, CatalogTable> = new Map();
  /** What the publication held before it was last brought in line. */
  #published: Set<string> = new Set();
  #publication: Publication = { names: [], discovers: false, pending: [], mended: [] };

  constructor(options: SourceCatalogOptions) {
    this.#options = options;
    this.client = options.client;
  }

  /** As last looked at, by `schema.table`. */
  get tables(): ReadonlyMap<string, CatalogTable> {
    return this.#tables;
  }

  get publication(): Publication {
    return this.#publication;
  }

  /** True if all of the table was published before the publication was last brought in line. */
  wasPublished(key: string): boolean {
    return this.#published.has(key);
  }

  /** True if the table is not in the publication yet: it is locked. */
  isPending(key: string): boolean {
    return this.#publication.pending.some((waiting) => tableKey(waiting) === key);
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
    const { client, source, wanted, refuses } = this.#options;
    const { changes } = publicationsOf(source);
    const added = await client.use(async (connection) => {
      const before = await publishedTables(connection, changes);
      this.#published = new Set([...before.listed, ...before.covered].map(tableKey));
      const chosen =
        wanted || refuses
          ? (await introspectTables(connection, source))
              .filter((table) => !refuses?.(table))
              .map(({ schema }) => schema)
              .filter(({ schema, table }) => this.wants(schema, table))
          : 'all';
      const late = client.profile.publicationDelayMs > 0;
      // A slot made later sees the publication as it is by then.
      const slot = late && (await slotStatus(connection, slotNameOf(source), client.profile)).exists;
      this.#publication = await ensurePublication(connection, source, chosen, client.profile);
      for (const table of this.#publication.mended) this.#published.delete(tableKey(table));
      if (!slot) return [];
      const { listed } = await publishedTables(connection, changes);
      return listed.filter((table) => !this.#published.has(tableKey(table)));
    });
    await client.published(added);
  }

  /**
   * Reads the catalog again and gives a position at which these tables (if any) were just so: whatever is committed
   * after it has the shapes that were read, or newer ones. CATALOG_UNSETTLED (transient) if they keep changing.
   */
  async settle(keys: ReadonlySet<string>): Promise<number> {
    if (keys.size === 0) return this.client.position();
    await this.look();
    for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
      const before = this.#tables;
      const position = await this.client.position();
      await this.look();
      if (shapesOf(before, keys) === shapesOf(this.#tables, keys)) return position;
    }
    throw new HubError('CATALOG_UNSETTLED', 'Tables of the source change shape all the time.', {
      disposition: 'transient',
      next: 'Nothing: the hub tries again.',
    });
  }

  /** Reads the catalog again. */
  async look(): Promise<void> {
    const { client, source, refuses } = this.#options;
    const found = await client.use((connection) => introspectTables(connection, source));
    this.#tables = new Map(
      found
        .filter(({ schema }) => this.wants(schema.schema, schema.table))
        .map((table) => ({ ...table, reason: table.reason ?? refuses?.(table) ?? null }))
        .map((table) => [tableKey(table.schema), table]),
    );
  }
}

/** What decides how their rows are read. Where they are stored does not: TRUNCATE alone changes that. */
const shapesOf = (tables: ReadonlyMap<string, CatalogTable>, keys: ReadonlySet<string>): string =>
  JSON.stringify(
    [...keys].map((key) => {
      const { oid, attributes, reason, schema } = tables.get(key) ?? {};
      return [oid, attributes, reason, schema?.columns, schema?.key, schema?.keyRule, schema?.origin?.marks];
    }),
  );
