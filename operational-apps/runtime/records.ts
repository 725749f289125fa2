import type { Principal } from '#kernel';
import { type Denied, isDenial } from './denied.ts';
import type { EntityInfo } from './model/catalogue.ts';
import type { Model } from './model/model.ts';
import { allRights } from './model/policy.ts';
import { createNotifications } from './personal/notifications.ts';
import { createSavedFilters } from './personal/saved-filters.ts';
import type { Access } from './read/access.ts';
import { aggregateQuery } from './read/aggregate.ts';
import {
  countQuery,
  listQuery,
  MOST_COUNTED,
  manyQuery,
  oneQuery,
  type Query,
  relatedQuery,
} from './read/list.ts';
import { searchQuery } from './read/search.ts';
import { streamRows } from './read/stream.ts';
import type { Identity, Outcome, Sessions } from './sessions/index.ts';
import { createTimeline } from './timeline.ts';
import type {
  AggregateQuery,
  BulkOperation,
  Call,
  Json,
  ListQuery,
  Notifications,
  Page,
  RecordRow,
  Records,
  Rights,
  SavedFilters,
  Selection,
  Timeline,
  Values,
  WriteOptions,
} from './types.ts';
import { amendRecord } from './write/amend.ts';
import { runBulk } from './write/bulk.ts';
import { createRecord, deleteRecord, updateRecord } from './write/operations.ts';
import { actOnRecord, transitionRecord } from './write/transit.ts';
import type { Unit } from './write/unit.ts';
import { createWriting, type Writing } from './write/writing.ts';

export interface RecordsContext {
  readonly model: Model;
  readonly sessions: Sessions;
  readonly principal: Principal;
  readonly tenant: string;
  readonly call: Call;
  readonly trust: 'both' | 'database';
  readonly onDenied: ((denied: Denied) => void) | undefined;
}

/** Records as one principal sees them; see `Records`. */
export const createRecords = (context: RecordsContext): Records => new PrincipalRecords(context);

/**
 * A class, because one is made for each request: what getters of an object literal enclose stays until V8 collects
 * the old heap, and here that is everything a request made.
 */
class PrincipalRecords implements Records {
  readonly principal: Principal;
  readonly tenant: string;
  readonly #context: RecordsContext;
  readonly #identity: Identity;
  readonly #access: Access;
  // Most calls read and are done: what the others need is made when it is asked for.
  #writing: Writing | null = null;
  #timeline: Timeline | null = null;

  constructor(context: RecordsContext) {
    const { model, principal, trust } = context;
    const { catalogue, policy } = model;
    this.principal = principal;
    this.tenant = context.tenant;
    this.#context = context;
    this.#identity = policy.identity(principal);
    this.#access = trust === 'database' ? { catalogue, rights: allRights } : policy.profile(principal);
  }

  rights(path: string): Rights {
    return this.#access.rights(this.#entity(path));
  }

  get(path: string, id: string, select?: Selection): Promise<RecordRow | null> {
    return this.#ask(path, (access, entity) => oneQuery(access, entity, id, select));
  }

  getMany(path: string, ids: readonly string[], select?: Selection): Promise<readonly (RecordRow | null)[]> {
    return this.#ask(path, (access, entity) => manyQuery(access, entity, ids, select));
  }

  related(
    path: string,
    field: string,
    ids: readonly string[],
    query: Parameters<Records['related']>[3] = {},
  ): Promise<ReadonlyMap<string, Page>> {
    return this.#ask(path, (access, entity) => relatedQuery(access, entity, field, ids, query));
  }

  list(path: string, query: ListQuery = {}): Promise<Page> {
    return this.#on(path, 'read', async (entity) => {
      const page = listQuery(this.#access, entity, query);
      const count = query.count ? countQuery(this.#access, entity, query) : null;
      const outcomes: Outcome[] = await this.#context.sessions.readAll(
        this.#identity,
        [page.statement, ...(count ? [count.statement] : [])],
        this.#context.call,
      );
      const rows = page.read(outcomes[0]!.rows);
      if (!count) return rows;
      const total = count.read(outcomes[1]!.rows);
      return { ...rows, total: Math.min(total, MOST_COUNTED), totalIsMore: total > MOST_COUNTED };
    });
  }

  aggregate(path: string, query: AggregateQuery): Promise<readonly Values[]> {
    return this.#ask(path, (access, entity) => aggregateQuery(access, entity, query));
  }

  async search(
    text: string,
    options: { readonly entities?: readonly string[]; readonly limit?: number } = {},
  ): Promise<readonly { readonly entity: string; readonly id: string; readonly title: string }[]> {
    const entities = (options.entities ?? [...this.#access.catalogue.entities.keys()])
      .map((path) => this.#entity(path))
      .filter((entity) => this.#access.rights(entity).read);
    const query = searchQuery(this.#access, entities, text, options.limit);
    return query === null ? [] : this.#answer(query);
  }

  /** Errors come out while it is read. */
  async *stream(
    path: string,
    query: Pick<ListQuery, 'filter' | 'sort' | 'search' | 'select'> = {},
  ): AsyncGenerator<readonly RecordRow[]> {
    const { sessions, call } = this.#context;
    const rows = streamRows(sessions, this.#identity, this.#access, this.#entity(path), query, call.client);
    try {
      for (;;) {
        const next = await this.#on(path, 'export', () => rows.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await rows.return(undefined);
    }
  }

  create(path: string, values: Values, options: WriteOptions = {}): Promise<RecordRow> {
    return this.#write(path, 'create', values, options, (unit, entity) => createRecord(unit, entity, values));
  }

  update(path: string, id: string, values: Values, options: WriteOptions = {}): Promise<RecordRow> {
    const request = { id, values, version: options.version ?? null };
    return this.#write(path, 'update', request, options, async (unit, entity) => {
      await updateRecord(unit, entity, id, values, options.version);
      return id;
    });
  }

  delete(path: string, id: string, options: WriteOptions = {}): Promise<void> {
    return this.#on(path, 'delete', (entity) =>
      this.#writer.run(
        { key: options.idempotencyKey, request: ['delete', path, id, options.version ?? null] },
        async (unit) => {
          await deleteRecord(unit, entity, id, options.version);
          return [];
        },
        () => undefined,
      ),
    );
  }

  transition(...[path, id, name, input, options]: Moving): Promise<RecordRow> {
    return this.#move(transitionRecord, path, id, name, input, options);
  }

  act(...[path, id, name, input, options]: Moving): Promise<RecordRow> {
    return this.#move(actOnRecord, path, id, name, input, options);
  }

  amend(path: string, id: string, options: WriteOptions = {}): Promise<RecordRow> {
    return this.#write(path, 'amend', { id }, options, (unit, entity) => amendRecord(unit, entity, id));
  }

  bulk(
    operations: readonly BulkOperation[],
    options: Pick<WriteOptions, 'idempotencyKey'> & { readonly dryRun?: boolean } = {},
  ): Promise<readonly (RecordRow | null)[]> {
    return runBulk({ ...this.#parts, writing: this.#writer }, operations, options);
  }

  get timeline(): Timeline {
    this.#timeline ??= createTimeline({ ...this.#parts, writing: this.#writer });
    return this.#timeline;
  }

  get savedFilters(): SavedFilters {
    return createSavedFilters(this.#parts);
  }

  get notifications(): Notifications {
    return createNotifications(this.#parts);
  }

  get #writer(): Writing {
    this.#writing ??= createWriting({ ...this.#context, identity: this.#identity, access: this.#access });
    return this.#writing;
  }

  /** What the parts of the engine that few calls need stand on. */
  get #parts() {
    const on: On = (path, operation, work) => this.#on(path, operation, work);
    return { ...this.#context, identity: this.#identity, access: this.#access, on };
  }

  #entity(path: string): EntityInfo {
    return this.#access.catalogue.entity(path);
  }

  /** Names the entity, lets `work` act on it, and explains what went wrong. */
  async #on<T>(path: string, operation: string, work: (entity: EntityInfo) => Promise<T>): Promise<T> {
    const entity = this.#entity(path);
    try {
      return await work(entity);
    } catch (thrown) {
      throw this.#explained(thrown, entity, operation);
    }
  }

  #explained(thrown: unknown, entity: EntityInfo, operation: string): unknown {
    const { model, principal, call, onDenied } = this.#context;
    const error = model.failures.explain(thrown, entity, operation === 'delete' ? 'delete' : 'write');
    if (isDenial(error)) onDenied?.({ principal, call, entity: entity.path, operation, code: error.code });
    return error;
  }

  async #ask<T>(path: string, queryOf: (access: Access, entity: EntityInfo) => Query<T>): Promise<T> {
    const entity = this.#entity(path);
    try {
      return await this.#answer(queryOf(this.#access, entity));
    } catch (thrown) {
      throw this.#explained(thrown, entity, 'read');
    }
  }

  async #answer<T>(query: Query<T>): Promise<T> {
    const { sessions, call } = this.#context;
    return query.read((await sessions.read(this.#identity, query.statement, call)).rows);
  }

  #move(
    move: typeof transitionRecord | typeof actOnRecord,
    path: string,
    id: string,
    name: string,
    input: Values = {},
    options: WriteOptions = {},
  ): Promise<RecordRow> {
    const request = { id, input, version: options.version ?? null };
    return this.#write(path, name, request, options, async (unit, entity) => {
      await move(unit, entity, id, name, input, options.version);
      return id;
    });
  }

  /** One record written: its answer is read in the same transaction. */
  #write(
    path: string,
    operation: string,
    request: Json,
    options: WriteOptions,
    act: (unit: Unit, entity: EntityInfo) => Promise<string>,
  ): Promise<RecordRow> {
    return this.#on(path, operation, (entity) =>
      this.#writer.run(
        { key: options.idempotencyKey, request: [operation, path, request] },
        async (unit) => {
          const id = await act(unit, entity);
          return [oneQuery(this.#access, entity, id, options.select)] as const;
        },
        ([row]) => row as RecordRow,
      ),
    );
  }
}

type Moving = Parameters<Records['transition']>;
type On = <T>(path: string, operation: string, work: (entity: EntityInfo) => Promise<T>) => Promise<T>;
