import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseApps } from '#apps';
import { addTenant, createApiKey } from '../../identity/index.ts';
import { type Answer, ask, type TestHub, testHub } from '../testing.ts';

const [APP] = parseApps([
  {
    file: 'desk.yaml',
    content: `
app: { name: desk, label: Desk }
roles: { worker: Worker, guest: Guest }
permissions: [{ role: worker, can: all }]
entities:
  ticket:
    titleField: subject
    permissions:
      - { role: worker, can: all }
      - { role: guest, can: [read, comment], where: open = true, hide: [hours] }
    fields:
      subject: { type: text, required: true }
      open: { type: boolean, required: true, default: false }
      hours: { type: integer }
`,
  },
]);

let hub: TestHub;
const keys = new Map<string, string>();
const as = (user: string, method: string, path: string, body?: unknown): Promise<Answer> =>
  ask(hub, method, path, { key: keys.get(user)!, ...(body === undefined ? {} : { body }) });
const graphql = async (user: string, query: string, variables: object = {}) =>
  (await as(user, 'POST', '/graphql', { query, variables })).json;

beforeAll(async () => {
  hub = await testHub({ apps: [APP!] });
  await hub.log.ensureTopic('business.desk.ticket', { partitions: 1 });
  for (const id of ['one', 'two']) await addTenant(hub.pool, { id, name: id });
  for (const [user, role, tenant] of [
    ['wanda@one.example', 'worker', 'one'],
    ['gus@one.example', 'guest', 'one'],
    ['wim@two.example', 'worker', 'two'],
  ] as const)
    keys.set(
      user.split('@')[0]!,
      await createApiKey(hub.pool, {
        user,
        roles: [role],
        tenant,
        attributes: {},
        scopes: ['read', 'write'],
      }),
    );
}, 120_000);
afterAll(async () => {
  // A subscription that is open must not hold up a stop.
  const left = await open('d@one.example');
  await hub[Symbol.asyncDispose]();
  await ended(left);
}, 30_000);

test('filters are saved, shared, left out and deleted, the same over REST and GraphQL', async () => {
  const path = '/api/v1/saved-filters';
  const list = async (user: string): Promise<string[]> =>
    (await as(user, 'GET', `${path}?entity=desk.ticket`)).json.filters.map(
      ({ name }: { name: string }) => name,
    );
  const made = await as('wanda', 'POST', path, {
    entity: 'desk.ticket',
    name: 'Open',
    filter: { open: { eq: true } },
    sort: ['-subject'],
    columns: ['subject'],
    shared: true,
  });
  expect([made.status, made.json]).toMatchObject([
    200,
    { own: true, owner: 'wanda@one.example', problem: null },
  ]);
  const saved = await graphql(
    'wanda',
    `mutation ($filter: JSON) { saveFilter(entity: "desk.ticket", name: "Long", filter: $filter, shared: true) {
      id name filter sort columns shared } }`,
    { filter: { hours: { gte: 8 } } },
  );
  expect(saved.data.saveFilter).toMatchObject({ name: 'Long', filter: { hours: { gte: 8 } }, shared: true });
  expect(await list('wanda')).toEqual(['Long', 'Open']);
  expect(await list('gus')).toEqual(['Open']);
  expect(await list('wim')).toEqual([]);
  const seen = await graphql(
    'gus',
    '{ savedFilters(entity: "desk.ticket") { name own sort filter problem } }',
  );
  expect(seen.data.savedFilters).toEqual([
    { name: 'Open', own: false, sort: ['-subject'], filter: { open: { eq: true } }, problem: null },
  ]);
  const denied = await as('gus', 'POST', path, { entity: 'desk.ticket', name: 'x', sort: ['hours'] });
  expect([denied.status, denied.json.error]).toMatchObject([403, { code: 'FIELD_DENIED' }]);
  const unknown = await as('gus', 'GET', `${path}?entity=desk.nothing`);
  expect([unknown.status, unknown.json.error.code]).toEqual([404, 'ENTITY_UNKNOWN']);
  expect((await as('gus', 'DELETE', `${path}/${made.json.id}`)).status).toBe(404);
  expect((await as('wanda', 'DELETE', `${path}/${made.json.id}`)).json).toEqual({ id: made.json.id });
  const { id } = saved.data.saveFilter;
  const gone = await graphql('wanda', 'mutation ($id: ID!) { deleteFilter(id: $id) }', { id });
  expect(gone.data).toEqual({ deleteFilter: id });
  expect(await list('wanda')).toEqual([]);
});

test('a mention is told over REST and GraphQL while the record may be read, and marked as read', async () => {
  const ticket = (await as('wanda', 'POST', '/api/v1/records/desk/ticket', { subject: 'Lamp' })).json;
  const record = `/api/v1/records/desk/ticket/${ticket.id}`;
  const text = 'Look, @gus@one.example';
  expect((await as('wanda', 'POST', `${record}/comments`, { text })).status).toBe(201);
  const path = '/api/v1/notifications';
  expect((await as('gus', 'GET', path)).json).toMatchObject({ notifications: [], next: null, unread: 0 });
  await as('wanda', 'PATCH', record, { open: true });
  const { json } = await as('gus', 'GET', `${path}?first=1`);
  expect(json).toMatchObject({
    notifications: [
      { entity: 'desk.ticket', record: ticket.id, text: `wanda@one.example: ${text}`, read: false },
    ],
    unread: 1,
  });
  const told = '{ notifications(first: 5) { nodes { id text read at role } next unread unreadIsMore } }';
  expect((await graphql('gus', told)).data.notifications).toMatchObject({
    nodes: [{ read: false }],
    unread: 1,
  });
  const upTo = json.notifications[0].id;
  const marked = await graphql(
    'gus',
    'mutation ($upTo: ID!) { markNotificationsRead(upTo: $upTo) { unread unreadIsMore } }',
    { upTo },
  );
  expect(marked.data.markNotificationsRead).toEqual({ unread: 0, unreadIsMore: false });
  expect((await as('gus', 'POST', `${path}/read`, { upTo })).json).toMatchObject({ unread: 0 });
  expect((await graphql('gus', told)).data.notifications).toMatchObject({
    nodes: [{ read: true }],
    unread: 0,
  });
  expect((await as('wanda', 'GET', path)).json.notifications).toEqual([]);
  expect((await as('wim', 'GET', path)).json.notifications).toEqual([]);
  expect((await as('gus', 'POST', `${path}/read`, { upTo: 'x' })).status).toBe(400);
});

/** A subscription that waits. */
const open = async (user: string) => {
  const principal = { user, roles: ['worker'], tenant: 'one', attributes: {}, scopes: ['read'] } as const;
  const key = await createApiKey(hub.pool, principal);
  const response = await fetch(`${hub.url}/graphql`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'text/event-stream',
    },
    body: JSON.stringify({ query: 'subscription { deskTicketChanged { id } }' }),
  });
  expect(response.status).toBe(200);
  return { id: key.split('.')[0]!, reader: response.body!.getReader() };
};
const ended = async ({ reader }: Awaited<ReturnType<typeof open>>): Promise<void> => {
  while (!(await reader.read()).done);
};

test('a subscription that is open ends with its key, and with a change of its rights', async () => {
  const [revoked, demoted, kept] = [
    await open('a@one.example'),
    await open('b@one.example'),
    await open('c@one.example'),
  ];
  let isOpen = true;
  const watched = ended(kept).finally(() => {
    isOpen = false;
  });
  await hub.pool.query('UPDATE bac.api_keys SET expires_at = now() WHERE id = $1', [revoked.id]);
  await hub.pool.query(
    `UPDATE bac.api_keys SET principal = jsonb_set(principal, '{roles}', '["guest"]') WHERE id = $1`,
    [demoted.id],
  );
  await Promise.all([ended(revoked), ended(demoted)]);
  expect(isOpen).toBe(true);
  await hub.pool.query('UPDATE bac.api_keys SET expires_at = now() WHERE id = $1', [kept.id]);
  await watched;
}, 30_000);

test('operators see webhooks and automations, and have dead ones sent again; nobody else does', async () => {
  const { rows } = await hub.pool.query<{ id: string }>(
    `INSERT INTO bac.outbox (tenant_id, entity, record_id, url, body, state, attempts, last_error)
     VALUES ('one', 'desk.ticket', 1, 'https://u:p@hooks.example/x?key=1', '{}', 'dead', 12, 'HTTP 500') RETURNING id`,
  );
  const { id } = rows[0]!;
  const paths = ['/api/v1/deliveries', '/api/v1/automation-runs'];
  for (const path of paths) {
    const refused = [await as('wanda', 'GET', path), await ask(hub, 'GET', path, { key: hub.keys.write })];
    expect(refused.map(({ status }) => status)).toEqual([403, 403]);
    expect((await ask(hub, 'GET', path, { key: hub.keys.admin })).status).toBe(200);
  }
  const admin = (method: string, path: string, body?: unknown): Promise<Answer> =>
    ask(hub, method, path, { key: hub.keys.admin, body });
  const found = await admin('GET', '/api/v1/deliveries?state=dead&tenant=one&limit=1');
  expect(found.json).toMatchObject({
    deliveries: [
      { id, tenant: 'one', url: 'https://hooks.example/x?…', attempts: 12, lastError: 'HTTP 500' },
    ],
    next: null,
  });
  const resend = '/api/v1/deliveries/resend';
  expect((await admin('POST', resend, {})).status).toBe(400);
  expect((await as('wanda', 'POST', resend, { all: true })).status).toBe(403);
  expect((await admin('POST', resend, { ids: [id] })).json).toEqual({ done: 1 });
  expect((await admin('POST', resend, { all: true })).json).toEqual({ done: 0 });
  const { rows: trail } = await hub.pool.query(
    "SELECT details FROM bac.audit WHERE action = 'delivery.resend'",
  );
  expect(trail).toContainEqual({ details: { ids: [id], done: 1 } });
});
