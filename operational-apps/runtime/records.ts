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
import type { Call, Json, ListQuery, Page, RecordRow, Records, Selection, WriteOptions } from './types.ts';
import { amendRecord } from './write/amend.ts';
import { runBulk } from './write/bulk.ts';
import { createRecord, deleteRecord, updateRecord } from './write/operations.ts';
import { actOnRecord, transitionRecord } from './write/transit.ts';
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
export function createRecords(context: RecordsContext): Records {
  const { model, sessions, principal, tenant, call } = context;
  const { catalogue, policy, failures } = model;
  const profile = policy.profile(principal);
  const identity: Identity = {
    tenant,
    user: principal.user,
    roles: profile.roles,
    attributes: principal.attributes,
  };
  const access: Access =
    context.trust === 'database' ? { catalogue, rights: allRights } : { catalogue, ...profile };
  const { rights } = access;

  /** Names the entity, lets `work` act on it, and explains what went wrong. */
  async function on<T>(
    path: string,
    operation: string,
    work: (entity: EntityInfo) => Promise<T>,
  ): Promise<T> {
    const entity = catalogue.entity(path);
    try {
      return await work(entity);
    } catch (thrown) {
      const kind = operation === 'delete' ? 'delete' : 'write';
      const error = failures.explain(thrown, entity, kind);
      if (isDenial(error)) context.onDenied?.({ principal, call, entity: path, operation, code: error.code });
      throw error;
    }
  }

  const ask = async <T>(query: Query<T>): Promise<T> =>
    query.read((await sessions.read(identity, query.statement, { signal: call.signal })).rows);

  // Most calls read and are done: what the others need is made when it is asked for.
  const writing = once((): Writing => createWriting({ ...context, identity, access }));
  const timeline = once(() => createTimeline({ ...context, identity, access, writing: writing(), on }));
  const savedFilters = once(() => createSavedFilters({ ...context, identity, access, on }));
  const notifications = once(() => createNotifications({ ...context, identity, access }));

  /** One record written: its answer is read in the same transaction. */
  const write = (
    path: string,
    operation: string,
    request: Json,
    options: WriteOptions,
    act: (unit: Parameters<Parameters<Writing['run']>[1]>[0], entity: EntityInfo) => Promise<string>,
  ): Promise<RecordRow> =>
    on(path, operation, (entity) =>
      writing().run(
        { key: options.idempotencyKey, request: [operation, path, request] },
        async (unit) => {
          const id = await act(unit, entity);
          return [oneQuery(access, entity, id, options.select)] as const;
        },
        ([row]) => row as RecordRow,
      ),
    );

  return {
    principal,
    tenant,
    rights: (path) => rights(catalogue.entity(path)),
    get: (path, id, select) => on(path, 'read', (entity) => ask(oneQuery(access, entity, id, select))),
    getMany: (path, ids, select) => on(path, 'read', (entity) => ask(manyQuery(access, entity, ids, select))),
    related: (path, field, ids, query = {}) =>
      on(path, 'read', (entity) => ask(relatedQuery(access, entity, field, ids, query))),
    list: (path, query = {}) => on(path, 'read', (entity) => list(entity, query)),
    create: (path, values, options = {}) =>
      write(path, 'create', values, options, (unit, entity) => createRecord(unit, entity, values)),
    update: (path, id, values, options = {}) =>
      write(
        path,
        'update',
        { id, values, version: options.version ?? null },
        options,
        async (unit, entity) => {
          await updateRecord(unit, entity, id, values, options.version);
          return id;
        },
      ),
    transition: (path, id, name, input = {}, options = {}) =>
      write(path, name, { id, input, version: options.version ?? null }, options, async (unit, entity) => {
        await transitionRecord(unit, entity, id, name, input, options.version);
        return id;
      }),
    delete: (path, id, options = {}) =>
      on(path, 'delete', (entity) =>
        writing().run(
          { key: options.idempotencyKey, request: ['delete', path, id, options.version ?? null] },
          async (unit) => {
            await deleteRecord(unit, entity, id, options.version);
            return [];
          },
          () => undefined,
        ),
      ),
    act: (path, id, name, input = {}, options = {}) =>
      write(path, name, { id, input, version: options.version ?? null }, options, async (unit, entity) => {
        await actOnRecord(unit, entity, id, name, input, options.version);
        return id;
      }),
    amend: (path, id, options = {}) =>
      write(path, 'amend', { id }, options, (unit, entity) => amendRecord(unit, entity, id)),
    bulk: (operations, options = {}) => runBulk({ writing: writing(), access, on }, operations, options),
    aggregate: (path, query) => on(path, 'read', (entity) => ask(aggregateQuery(access, entity, query))),
    stream: (path, query = {}) => stream(path, query),
    async search(text, options = {}) {
      const entities = (options.entities ?? [...catalogue.entities.keys()])
        .map((path) => catalogue.entity(path))
        .filter((entity) => rights(entity).read);
      const query = searchQuery(access, entities, text, options.limit);
      return query === null ? [] : ask(query);
    },
    get timeline() {
      return timeline();
    },
    get savedFilters() {
      return savedFilters();
    },
    get notifications() {
      return notifications();
    },
  };

  /** Errors of a stream come out while it is read. */
  async function* stream(
    path: string,
    query: Parameters<Records['stream']>[1] & object,
  ): AsyncGenerator<readonly RecordRow[]> {
    const rows = streamRows(sessions, identity, access, catalogue.entity(path), query, call.signal);
    try {
      for (;;) {
        const next = await on(path, 'export', () => rows.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      await rows.return(undefined);
    }
  }

  async function list(entity: EntityInfo, query: ListQuery): Promise<Page> {
    const page = listQuery(access, entity, query);
    const count = query.count ? countQuery(access, entity, query) : null;
    const outcomes: Outcome[] = await sessions.readAll(
      identity,
      [page.statement, ...(count ? [count.statement] : [])],
      { signal: call.signal },
    );
    const rows = page.read(outcomes[0]!.rows);
    if (!count) return rows;
    const total = count.read(outcomes[1]!.rows);
    return { ...rows, total: Math.min(total, MOST_COUNTED), totalIsMore: total > MOST_COUNTED };
  }
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

export type { Selection };
