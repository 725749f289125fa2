import {
  chIdent,
  chTable,
  HubError,
  type Registry,
  rowVersion,
  type TableEntry,
  type TableSchema,
  transientError,
  type Warehouse,
  warehouseTableOf,
} from '#kernel';
import {
  type AppliedTable,
  coverShards,
  ensureHistory,
  evolve,
  isUnchanged,
  readTable,
  refreshReader,
  shardsOf,
  widen,
} from '../tables/index.ts';
import { type Generation, readGenerations, shapeOf } from './foreign.ts';
import { compilePlan, type Plan } from './plan.ts';

/** Events wait: their snapshot is not live, or their table is not registered. Ends with a nudge. */
export class Held extends HubError {
  constructor(message: string) {
    super('SINK_HELD', message, { disposition: 'transient' });
  }
}

/** The table was altered while rows were on their way into it; they have to be sent again. */
export class Reshaped extends HubError {
  constructor(table: string) {
    super('TABLE_RESHAPED', `${table} was altered during an insert.`, { disposition: 'transient' });
  }
}

/** How events that name nothing but their columns become rows, by those names. */
export interface ForeignPlans {
  /** Newest generation when it was read. */
  readonly newest: number;
  readonly generations: readonly Generation[];
  readonly plans: Map<string, ForeignPlan>;
}

export interface ForeignPlan {
  readonly plan: Plan;
  /** The old row of a delete holds these columns (the key), whatever the event fills the others with; null = all. */
  readonly deletes: ReadonlySet<string> | null;
}

export const namesKey = (names: readonly string[]): string => names.join('\0');

/** One captured table as the sink sees it: its state in ClickHouse and the plans made from it. */
export class SinkTable {
  entry: TableEntry;
  applied: AppliedTable | null = null;
  history: AppliedTable | null = null;
  /** What events need that say neither generation nor version; null = none came yet. */
  foreign: ForeignPlans | null = null;
  readonly plans = new Map<number, Plan>();
  readonly #warehouse: Warehouse;
  readonly #registry: Registry;
  readonly #keepsHistory: boolean;
  #work: Promise<unknown> = Promise.resolve();
  #told: number | null = null;

  constructor(entry: TableEntry, warehouse: Warehouse, registry: Registry, keepsHistory: boolean) {
    this.entry = entry;
    this.#warehouse = warehouse;
    this.#registry = registry;
    this.#keepsHistory = keepsHistory;
  }

  /** Reads the table from ClickHouse unless known. Throws Held while there is none. */
  ready(): Promise<AppliedTable> {
    return this.applied === null ? this.#alone(() => this.#load()) : Promise.resolve(this.applied);
  }

  /** True once for each shape, and once after a start: whoever reads the table may not have heard of its columns. */
  takeReshaped(): boolean {
    const version = this.applied?.version ?? this.#told;
    if (version === this.#told) return false;
    this.#told = version;
    return true;
  }

  /** Forgets what is known: the table has been replaced or altered. */
  invalidate(): void {
    this.applied = null;
    this.history = null;
    this.foreign = null;
    this.plans.clear();
  }

  /**
   * After an insert: throws Reshaped if the table is not what it was before. A part written under a
   * column's old name while the column is renamed is not touched by the renaming, and its values are
   * not seen again.
   */
  async confirm(applied: AppliedTable, history: AppliedTable | null): Promise<void> {
    for (const table of history === null ? [applied] : [applied, history]) {
      if (!(await isUnchanged(this.#warehouse, table))) throw new Reshaped(this.entry.topic);
    }
  }

  /** Makes a plan for events of `version`, altering the table first if it is older. */
  plan(version: number): Promise<void> {
    return this.#alone(async () => void (await this.#plan(version)));
  }

  /** Brings the table to this version of its shape if it is there and older; touches nothing else. */
  reach(version: number): Promise<void> {
    return this.#alone(async () => {
      const { database, table } = warehouseTableOf(this.entry);
      const present = this.applied ?? (await readTable(this.#warehouse, database, table));
      if (present !== null && present.version < version) await this.#plan(version);
    });
  }

  async #plan(version: number): Promise<AppliedTable> {
    let applied = this.applied ?? (await this.#load());
    const schema = await this.#schema(version);
    if (schema.version > applied.version) {
      this.invalidate();
      applied = await this.#adopt(await evolve(this.#warehouse, applied, schema));
    }
    this.plans.set(schema.version, compilePlan(schema, applied, await this.#schema(applied.version)));
    return applied;
  }

  /** Reads what is registered of the table's generations. Throws Held while the newest is not described. */
  readForeign(): Promise<void> {
    return this.#alone(async () => {
      const applied = this.applied ?? (await this.#load());
      const entry = await this.#registry.table(this.entry);
      const generations = entry ? await readGenerations(this.#registry, entry, applied.generation) : [];
      if (!entry || generations.length === 0)
        throw new Held(`Schema of ${this.entry.topic} is not registered yet.`);
      this.foreign = { newest: entry.generation, generations, plans: new Map() };
    });
  }

  /**
   * Makes a plan for events with these columns, in the live generation; false: a column is unknown to it.
   * The table is first brought to the generation's newest shape.
   */
  planNames(names: readonly string[]): Promise<boolean> {
    return this.#alone(async () => {
      const { foreign } = this;
      const live = foreign?.generations.find(({ generation }) => generation === this.applied?.generation);
      // Forgotten meanwhile, by a message: what is read next decides.
      if (!foreign || !live) return true;
      const shape = shapeOf(live, names);
      if (!shape) return false;
      const before = this.applied;
      const applied = await this.#plan(shape.version);
      if (applied !== before) foreign.plans.clear();
      this.foreign = foreign;
      const plan = compilePlan(shape, applied, await this.#schema(applied.version));
      foreign.plans.set(namesKey(names), { plan, deletes: shape.fullIdentity ? null : new Set(shape.key) });
      return true;
    });
  }

  /**
   * Before foreign events count as stored: throws Reshaped if a newer generation has been registered since,
   * to which they may belong. Capture registers it first and notes its place in the log after that, so
   * whatever passes here lies before that place.
   */
  async confirmGeneration(newest: number): Promise<void> {
    const entry = await this.#registry.table(this.entry);
    if (entry && entry.generation !== newest) throw new Reshaped(this.entry.topic);
  }

  /** Lets columns hold NULL. Idempotent. */
  widen(names: readonly string[]): Promise<void> {
    return this.#alone(async () => {
      const applied = this.applied ?? (await this.#load());
      const latest = await this.#schema(applied.version);
      const attnums = names.map((name) => latest.columns.find((column) => column.name === name)?.attnum);
      for (const table of [applied, ...(this.history === null ? [] : [this.history])]) {
        const columns = table.columns.filter(({ attnum }) => attnums.includes(attnum));
        await widen(this.#warehouse, table, columns);
      }
      this.invalidate();
      await this.#load();
    });
  }

  /** Tombstones for all rows older than the TRUNCATE. Idempotent: newer rows are left alone. */
  async truncate(generation: number, lsn: number, committedAt: number): Promise<void> {
    const applied = await this.ready();
    const version = rowVersion(generation, BigInt(lsn));
    const key = applied.key.map((attnum) => chIdent(applied.columns.find((c) => c.attnum === attnum)!.name));
    const at = `fromUnixTimestamp64Micro(toInt64(${BigInt(committedAt)}), 'UTC')`;
    const target = chTable(applied.database, applied.stored);
    const columns = [...key, '_raw', '_version', '_deleted', '_committed_at'].join(', ');
    const rows = `SELECT ${key.join(', ')}, _raw, ${version}, 1, ${at} FROM ${target} FINAL WHERE _deleted = 0 AND _version < ${version}`;
    const { history } = this;
    const settings = this.#warehouse.cluster?.insertSettings ?? {};
    for (const shard of (await shardsOf(this.#warehouse)).slice(0, applied.shards)) {
      for (const { database, stored } of [...(history === null ? [] : [history]), applied]) {
        await shard.command(`INSERT INTO ${chTable(database, stored)} (${columns}) ${rows}`, { settings });
      }
    }
  }

  async #schema(version: number): Promise<TableSchema> {
    const schema = await this.#registry.version(this.entry, version);
    if (schema === null)
      throw new Held(`Schema version ${version} of ${this.entry.topic} is not registered yet.`);
    return schema;
  }

  async #load(): Promise<AppliedTable> {
    const { database, table } = warehouseTableOf(this.entry);
    const applied = await readTable(this.#warehouse, database, table);
    if (applied === null) throw new Held(`The snapshot of ${this.entry.topic} is not finished.`);
    if (this.#warehouse.cluster !== undefined) {
      await coverShards(this.#warehouse, applied, await this.#schema(applied.version));
    }
    if (applied.towards === undefined) {
      await refreshReader(this.#warehouse, applied);
      return this.#adopt(applied);
    }
    // Someone was stopped on the way to another shape. Events of the old one fit the new one as well.
    return this.#adopt(await evolve(this.#warehouse, applied, await this.#schema(applied.towards)));
  }

  async #adopt(applied: AppliedTable): Promise<AppliedTable> {
    this.plans.clear();
    if (this.#keepsHistory) {
      const schema = await this.#schema(applied.version);
      const history = await ensureHistory(this.#warehouse, schema, applied.generation);
      if (history === null) throw transientError('TABLE_GONE', `History of ${this.entry.topic} disappeared.`);
      const behind = history.version < applied.version || history.towards !== undefined;
      this.history = behind ? await evolve(this.#warehouse, history, schema) : history;
    }
    this.applied = applied;
    return applied;
  }

  /** Shape changes of one table one after the other, also when several partitions ask at once. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work, work);
    this.#work = result.catch(() => undefined);
    return result;
  }
}
