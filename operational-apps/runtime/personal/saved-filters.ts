import { allows, HubError, type Principal } from '#kernel';
import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { show } from '../model/values.ts';
import { type Access, assertReadable } from '../read/access.ts';
import { idOrNull, listQuery } from '../read/list.ts';
import type { Identity, Sessions, WireRow } from '../sessions/index.ts';
import type { Filter, NewSavedFilter, SavedFilter, SavedFilters, Selection } from '../types.ts';

const MOST_OWN = 100;
const MOST_LISTED = 500;
const MOST_NAME = 100;
const MOST_COLUMNS = 50;
const MOST_JSON = 20_000;
const PATH = /^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,3}$/;

export interface PersonalContext {
  readonly sessions: Sessions;
  readonly identity: Identity;
  readonly access: Access;
  readonly principal: Principal;
  readonly on: <T>(path: string, operation: string, work: (entity: EntityInfo) => Promise<T>) => Promise<T>;
}

interface Query {
  readonly filter: Filter | null;
  readonly sort: readonly string[];
  readonly columns: readonly string[];
}

/** Lists people keep under a name; see `SavedFilters`. */
export function createSavedFilters({
  sessions,
  identity,
  access,
  principal,
  on,
}: PersonalContext): SavedFilters {
  const assertWrites = (): void => {
    if (!allows(principal, 'write'))
      throw problem('PERMISSION_DENIED', 'Filters are saved and deleted with the right to write.');
  };
  return {
    list: (path) =>
      on(path, 'read', async (entity) => {
        assertReadable(access, entity);
        const { rows } = await sessions.read(identity, {
          text: `SELECT f.id::text, f.name, f.user_id, f.shared::text, f.query::text, f.updated_at::text
            FROM bac.saved_filters f WHERE f.tenant_id = $1 AND f.entity = $2 AND (f.shared OR f.user_id = $3)
            ORDER BY f.user_id <> $3, f.name, f.id LIMIT ${MOST_LISTED}`,
          values: [identity.tenant, path, identity.user],
          keep: true,
        });
        return rows.flatMap((row) => toSavedFilter(access, entity, identity.user, row) ?? []);
      }),
    save: (path, given) =>
      on(path, 'read', async (entity) => {
        assertWrites();
        const query = checked(access, entity, given);
        const name = nameOf(given.name);
        const own = [identity.tenant, path, identity.user, name];
        const row = await sessions.write(identity, async (tx) => {
          const others = await tx.run({
            text: 'SELECT count(*) FROM bac.saved_filters WHERE tenant_id = $1 AND entity = $2 AND user_id = $3 AND name <> $4',
            values: own,
            keep: true,
          });
          if (Number(others.rows[0]![0]) >= MOST_OWN)
            throw problem('LIMIT_EXCEEDED', `At most ${MOST_OWN} filters are kept of one entity.`, 'name');
          const saved = await tx.run({
            text: `INSERT INTO bac.saved_filters (tenant_id, entity, user_id, name, query, shared)
              VALUES ($1, $2, $3, $4, $5, $6)
              ON CONFLICT (tenant_id, entity, user_id, name)
              DO UPDATE SET query = excluded.query, shared = excluded.shared, updated_at = now()
              RETURNING id::text, name, user_id, shared::text, query::text, updated_at::text`,
            values: [...own, JSON.stringify(query), String(given.shared ?? false)],
            keep: true,
          });
          return saved.rows[0]!;
        });
        return toSavedFilter(access, entity, identity.user, row)!;
      }),
    async delete(id) {
      assertWrites();
      const gone = await sessions.write(identity, (tx) =>
        tx.run({
          text: 'DELETE FROM bac.saved_filters WHERE id = $1 AND tenant_id = $2 AND user_id = $3',
          values: [idOrNull(id) ?? '0', identity.tenant, identity.user],
          keep: true,
        }),
      );
      if (gone.count === 0) throw problem('RECORD_NOT_FOUND', `You have no saved filter ${id.slice(0, 40)}.`);
    },
  };
}

function nameOf(given: string): string {
  const name = given.trim();
  if (name === '' || name.length > MOST_NAME || /\p{Cc}/u.test(name))
    throw problem('VALUE_INVALID', `A name has 1 to ${MOST_NAME} characters.`, 'name');
  return name;
}

/** Names fields that are there and may be seen, and values that fit; else an error as a list would give it. */
function checked(
  access: Access,
  entity: EntityInfo,
  given: Pick<NewSavedFilter, 'filter' | 'sort' | 'columns'>,
): Query {
  const { filter = null, sort = [], columns = [] } = given;
  if (columns.length > MOST_COLUMNS)
    throw problem('LIMIT_EXCEEDED', `At most ${MOST_COLUMNS} columns.`, 'columns');
  if (JSON.stringify(filter).length > MOST_JSON)
    throw problem('LIMIT_EXCEEDED', `A filter has at most ${MOST_JSON} characters.`, 'filter');
  listQuery(access, entity, {
    ...(filter === null ? {} : { filter }),
    ...(columns.length === 0 ? {} : { select: selectionOf(columns) }),
    sort,
  });
  return { filter, sort, columns };
}

/** `owner.email` and `name`: {owner: {email: true}, name: true}. */
function selectionOf(columns: readonly string[]): Selection {
  const odd = columns.find((column) => !PATH.test(column));
  if (odd !== undefined)
    throw problem('FIELD_UNKNOWN', 'A column is a field or a path such as owner.email.', 'columns');
  return nested(columns.map((column) => column.split('.')));
}

const nested = (paths: readonly (readonly string[])[]): Selection =>
  Object.fromEntries(
    [...Map.groupBy(paths, ([head]) => head!)].map(([head, all]) => {
      const below = all.filter((path) => path.length > 1).map((path) => path.slice(1));
      return [head, below.length === 0 ? true : nested(below)];
    }),
  );

/**
 * Null for another's filter that speaks of what the reader may not see (or what is no more): not even its
 * name is told. One's own remains, emptied and with the reason, so that it can be deleted or saved anew.
 */
function toSavedFilter(access: Access, entity: EntityInfo, reader: string, row: WireRow): SavedFilter | null {
  const [id, name, owner, shared, stored, updatedAt] = row as readonly string[];
  const query = JSON.parse(stored!) as Query;
  let refused: HubError | null = null;
  try {
    checked(access, entity, query);
  } catch (error) {
    if (!(error instanceof HubError) || error.disposition !== 'user') throw error;
    if (owner !== reader) return null;
    refused = error;
  }
  const { filter, sort, columns } = refused ? { filter: null, sort: [], columns: [] } : query;
  return {
    id: id!,
    entity: entity.path,
    name: name!,
    owner: owner!,
    own: owner === reader,
    shared: shared === 'true',
    filter,
    sort,
    columns,
    updatedAt: show('dateTime', updatedAt!) as string,
    problem: refused && { code: refused.code, message: refused.message },
  };
}
