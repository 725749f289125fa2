import pg from 'pg';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Principal } from '#kernel';
import { createApiKey } from '../../identity/index.ts';
import { type Answer, ask } from '../testing.ts';
import { principalOf, type Role, TENANTS, type Tenant } from './testing/vault.ts';
import { vaultHub } from './testing/vault-hub.ts';

/** Saved filters and notifications belong to one person of one tenant, on every surface that has them. */
const vault = vaultHub();

/** Two people of each tenant and role: the first has something, the second must not see it. */
const ROLES = ['viewer', 'seller', 'manager', 'admin'] as const satisfies readonly Role[];
const CASES = TENANTS.flatMap((tenant) => ROLES.flatMap((role) => [1, 2].map((n) => ({ tenant, role, n }))));
type Person = (typeof CASES)[number];
const userOf = ({ tenant, role, n }: Person): string => `${role}${n}@${tenant}.example`;
const personOf = (person: Person): Principal => ({
  ...principalOf(person.role, person.tenant),
  user: userOf(person),
});
const keys = new Map<string, string>();
const saved = new Map<string, { own: string; shared: string }>();
const as = (person: Person, method: string, path: string, body?: unknown): Promise<Answer> =>
  ask(vault.hub, method, path, {
    key: keys.get(userOf(person))!,
    ...(body === undefined ? {} : { body }),
  });

beforeAll(async () => {
  for (const person of CASES) {
    keys.set(userOf(person), await createApiKey(vault.hub.pool, personOf(person)));
    const filter = async (name: string, shared: boolean, more: object = {}): Promise<string> => {
      const answer = await as(person, 'POST', '/api/v1/saved-filters', {
        entity: 'vault.deal',
        name: `${name} of ${userOf(person)}`,
        filter: { region: { eq: 'coast' } },
        shared,
        ...more,
      });
      expect(answer.status, answer.text).toBeLessThan(300);
      return answer.json.id as string;
    };
    saved.set(userOf(person), {
      own: await filter('private', false),
      shared: await filter('shared', true),
    });
    if (person.role === 'manager')
      await filter('margins', true, { filter: { margin: { gte: '10' } }, sort: ['-margin'] });
    await vault.hub.pool.query(
      `INSERT INTO bac.notifications (tenant_id, user_id, role, entity, record_id, body, with_record)
       VALUES ($1, $2, NULL, 'vault.deal', 1, $3, false), ($1, NULL, $4, 'vault.deal', 1, $5, false)`,
      [
        person.tenant,
        userOf(person),
        `told ${userOf(person)}`,
        person.role,
        `role ${person.role} of ${person.tenant}`,
      ],
    );
  }
}, 120_000);

const includes = (role: Role): readonly string[] => (role === 'manager' ? ['manager', 'seller'] : [role]);
const mayShow = (person: Person, tenant: Tenant, name: string): boolean =>
  tenant === person.tenant &&
  (!name.startsWith('margins') || person.role === 'manager' || person.role === 'admin') &&
  (!name.startsWith('private') || name.endsWith(` ${userOf(person)}`));
const namesFor = (person: Person): string[] =>
  CASES.flatMap((other) =>
    ['private', 'shared', ...(other.role === 'manager' ? ['margins'] : [])]
      .map((name) => `${name} of ${userOf(other)}`)
      .filter((name) => mayShow(person, other.tenant, name)),
  ).sort();
const toldTo = (person: Person): string[] =>
  [
    `told ${userOf(person)}`,
    ...includes(person.role).flatMap((role) => Array(2).fill(`role ${role} of ${person.tenant}`)),
  ].sort();

describe.each(CASES)('$role $n of $tenant', (person) => {
  test('sees its own filters and what others of its tenant share, if it may see what they name', async () => {
    const list = await as(person, 'GET', '/api/v1/saved-filters?entity=vault.deal');
    const graph = await as(person, 'POST', '/graphql', {
      query: '{ savedFilters(entity: "vault.deal") { name filter sort columns owner } }',
    });
    const names = (rows: readonly { name: string }[]): string[] => rows.map(({ name }) => name).sort();
    expect(names(list.json.filters)).toEqual(namesFor(person));
    expect(names(graph.json.data.savedFilters)).toEqual(namesFor(person));
    if (person.role === 'seller') expect(list.text + graph.text).not.toContain('margin');
  });

  test('changes and deletes no filter of anybody else, and hears no more than that there is none', async () => {
    for (const other of CASES.filter((one) => one !== person))
      for (const id of Object.values(saved.get(userOf(other))!)) {
        const answer = await as(person, 'DELETE', `/api/v1/saved-filters/${id}`);
        const none = await as(person, 'DELETE', '/api/v1/saved-filters/999999999');
        expect(answer.status).toBe(404);
        expect({ ...answer.json.error, message: '' }).toEqual({ ...none.json.error, message: '' });
        const graph = await as(person, 'POST', '/graphql', {
          query: `mutation { deleteFilter(id: "${id}") }`,
        });
        expect(graph.json.errors[0].extensions.code).toBe('RECORD_NOT_FOUND');
      }
    const { rows } = await vault.hub.pool.query('SELECT count(*)::int AS n FROM bac.saved_filters');
    expect(rows[0].n).toBe(CASES.length * 2 + 4);
  });

  test('is told what is for it and its roles, and marks nothing read for others', async () => {
    const list = await as(person, 'GET', '/api/v1/notifications');
    const graph = await as(person, 'POST', '/graphql', {
      query: '{ notifications { nodes { text } unread } }',
    });
    const texts = (rows: readonly { text: string }[]): string[] => rows.map(({ text }) => text).sort();
    expect(texts(list.json.notifications)).toEqual(toldTo(person));
    expect(texts(graph.json.data.notifications.nodes)).toEqual(toldTo(person));
    const { rows } = await vault.hub.pool.query<{ id: string }>(
      'SELECT max(id)::text AS id FROM bac.notifications',
    );
    const before = await seenOfOthers(person);
    await as(person, 'POST', '/api/v1/notifications/read', { upTo: rows[0]!.id });
    expect(await seenOfOthers(person)).toEqual(before);
  });

  test('SQL as the engine’s login shows no more', async () => {
    const client = new pg.Client({ connectionString: vault.hub.appsLogin });
    await client.connect();
    try {
      await client.query('BEGIN; SET LOCAL ROLE bac_app');
      await client.query(
        "SELECT set_config('bac.tenant', $1, true), set_config('bac.user', $2, true), set_config('bac.roles', $3, true)",
        [person.tenant, userOf(person), [...includes(person.role), 'everyone'].join(',')],
      );
      const filters = await client.query<{
        name: string;
        user_id: string;
        tenant_id: string;
        shared: boolean;
      }>('SELECT name, user_id, tenant_id, shared FROM bac.saved_filters');
      expect(
        filters.rows.filter(
          (row) => row.tenant_id !== person.tenant || !(row.shared || row.user_id === userOf(person)),
        ),
      ).toEqual([]);
      expect(filters.rows.length).toBe(ROLES.length * 2 + 2 + 1);
      const told = await client.query<{ body: string }>('SELECT body FROM bac.notifications');
      expect(told.rows.map(({ body }) => body).sort()).toEqual(toldTo(person));
      const gone = await client.query('DELETE FROM bac.saved_filters WHERE user_id <> $1', [userOf(person)]);
      expect(gone.rowCount).toBe(0);
    } finally {
      await client.end();
    }
  });
});

async function seenOfOthers(person: Person): Promise<unknown[]> {
  const { rows } = await vault.hub.pool.query(
    'SELECT * FROM bac.notifications_seen WHERE NOT (tenant_id = $1 AND user_id = $2) ORDER BY tenant_id, user_id',
    [person.tenant, userOf(person)],
  );
  return rows;
}
