import { type Logger, type Registry, type TableId, type TableSchema, tableKey } from '#kernel';
import { alignRelation, type CatalogTable } from '../catalog/index.ts';
import type { Relation } from '../pgoutput/index.ts';
import type { SourceCatalog } from './source-catalog.ts';
import { type CapturedTable, type Route, shapeAt, sinceOf } from './table.ts';

export interface ShapesOptions {
  readonly catalog: SourceCatalog;
  readonly registry: Registry;
  readonly logger: Logger;
  readonly tell: (id: TableId) => Promise<void>;
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

/** The shapes of the source's tables: which one a row has, and what becomes of one nobody has seen yet. */
export class Shapes {
  readonly #options: ShapesOptions;
  /** Shapes in the catalog that the stream has not told of. */
  readonly #drifts = new Map<string, { position: number; version: number; shape: string }>();

  constructor(options: ShapesOptions) {
    this.#options = options;
  }

  /**
   * The shape of rows under `route.relation` at this position; null = skip them; 'anew' = rows of this
   * shape cannot be brought in line with those before, the table has to begin anew.
   */
  async at(
    route: Route,
    table: CapturedTable,
    commit: number,
    change: number,
  ): Promise<TableSchema | 'anew' | null> {
    const { catalog, logger } = this.#options;
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
    let alignment = alignRelation(candidate, route.relation, catalog.tables.get(key) ?? null);
    if (alignment.change !== 'same') {
      await catalog.look();
      alignment = alignRelation(candidate, route.relation, catalog.tables.get(key) ?? null);
    }
    if (alignment.change === 'same') return candidate;
    if (alignment.change === 'resnapshot') {
      logger.warn({ table: key, details: alignment.details }, 'table is snapshotted again');
      return 'anew';
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
   * A table whose shape changed while nobody writes to it: no message tells of it. Once the stream has
   * passed the moment at which the catalog was seen to differ, the change is taken from the catalog.
   * True: the table has to begin anew.
   */
  async drifted(
    table: CapturedTable,
    found: CatalogTable,
    position: number,
    passed: number,
  ): Promise<boolean> {
    const key = tableKey(table.id);
    const latest = table.versions.at(-1);
    if (!latest || table.muted || this.#options.catalog.client.profile.currentPosition === null) return false;
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

  /**
   * The same where events name their columns and nothing else (Debezium): what the catalog has is the newest
   * shape at once. A name must mean one column throughout a generation, or events could not be told apart.
   * True: the table has to begin anew.
   */
  async named(table: CapturedTable, found: CatalogTable): Promise<boolean> {
    const latest = table.versions.at(-1);
    if (!latest || table.muted) return false;
    const { change, schema, details } = alignRelation(latest, relationOf(found), found);
    if (change === 'same') return false;
    const meant = new Map(
      table.versions.flatMap(({ columns }) => columns.map((one) => [one.name, one.attnum])),
    );
    const again = schema.columns.find(({ name, attnum }) => (meant.get(name) ?? attnum) !== attnum);
    if (change === 'resnapshot' || again) {
      const why = again ? [`${again.name} is another column now`] : details;
      this.#options.logger.warn({ table: tableKey(table.id), details: why }, 'table is snapshotted again');
      return true;
    }
    const since = { commit: sinceOf(latest).commit, change: 0, snapshot: false };
    await this.#newVersion(table, { ...schema, version: latest.version + 1, since });
    return false;
  }

  async #newVersion(table: CapturedTable, schema: TableSchema): Promise<void> {
    const { registry, logger, tell } = this.#options;
    logger.info({ table: tableKey(table.id), version: schema.version }, 'table has a new shape');
    await registry.addVersion(schema);
    await registry.updateTable(table.id, { version: schema.version });
    table.versions.push(schema);
    await tell(table.id);
  }
}
