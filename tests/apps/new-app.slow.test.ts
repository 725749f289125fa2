import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '#tests/eventually';
import { type TestHub, testHub } from '#tests/hub';

/** The very file that docs/apps.md shows. */
const FILE = fileURLToPath(new URL('../../docs/examples/workshop/app.yaml', import.meta.url));

let hub: TestHub;
const keys: Record<string, string> = {};

beforeAll(async () => {
  hub = await testHub();
  for (const tenant of ['north', 'south'])
    expect(await hub.bac('tenants', 'add', tenant)).toMatchObject({ code: 0 });
  for (const [user, tenant, roles] of [
    ['dora', 'north', 'desk'],
    ['mike', 'north', 'mechanic'],
    ['sam', 'south', 'manager'],
  ] as const) {
    const made = await hub.bac(
      'keys',
      'create',
      user,
      '--scopes',
      'read,write',
      '--roles',
      roles,
      '--tenant',
      tenant,
      '--json',
    );
    expect(made.stderr).toBe('');
    keys[user] = (JSON.parse(made.stdout) as { key: string }).key;
  }
});
afterAll(() => hub?.[Symbol.asyncDispose]());

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
type Answer = { status: number; json: any };

async function rest(user: string, method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${hub.addresses.http}/api/v1/records/workshop/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${keys[user]}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, json: await response.json() };
}

async function graphql(user: string, query: string, variables: object = {}): Promise<Answer['json']> {
  const response = await fetch(`${hub.addresses.http}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys[user]}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return response.json();
}

/** One row a line, columns separated by tabs. */
const sql = async (text: string): Promise<string> =>
  (await hub.bac('sql', text, '--format', 'TabSeparated')).stdout.trim();

test('from nothing, one file under 120 lines is an app within 10 s: GraphQL, REST, ClickHouse, status', async () => {
  expect(readFileSync(FILE, 'utf8').split('\n').length).toBeLessThan(120);
  expect(await rest('dora', 'GET', 'customer')).toMatchObject({ status: 404 });
  const applied = await hub.bac('app', 'apply', FILE, '--yes');
  const began = performance.now();
  expect(applied).toMatchObject({ code: 0 });
  expect(applied.stdout).toContain('workshop version 1 in force');

  const made = await graphql(
    'dora',
    'mutation ($input: WorkshopCustomerCreateInput!) { createWorkshopCustomer(input: $input) { id name } }',
    { input: { name: 'Ida Berg', email: 'ida@berg.example' } },
  );
  expect(made).toMatchObject({ data: { createWorkshopCustomer: { name: 'Ida Berg' } } });
  const owner = made.data.createWorkshopCustomer.id as string;
  const bicycle = await rest('dora', 'POST', 'bicycle', { frame_number: 'F-77', owner });
  expect(bicycle).toMatchObject({ status: 201, json: { kind: 'city' } });
  const repair = await rest('dora', 'POST', 'repair', { bicycle: bicycle.json.id, fault: 'Squeaks' });
  expect(repair).toMatchObject({ status: 201, json: { number: 'R-00001', status: 'received' } });
  const started = await rest('mike', 'POST', `repair/${repair.json.id}/transitions/start`, {});
  expect(started).toMatchObject({ status: 200, json: { status: 'in_repair', mechanic: 'mike' } });

  const wanted = 'R-00001\tin_repair\tmike\tF-77\tIda Berg';
  let last = '';
  await eventually(
    async () => {
      last = await sql(
        `SELECT r.number, r.status, r.mechanic, b.frame_number, c.name FROM (SELECT * FROM business.workshop_repair FINAL WHERE _deleted = 0) r
         JOIN (SELECT * FROM business.workshop_bicycle FINAL WHERE _deleted = 0) b ON b.id = r.bicycle_id
         JOIN (SELECT * FROM business.workshop_customer FINAL WHERE _deleted = 0) c ON c.id = b.owner_id`,
      );
      return last === wanted ? true : undefined;
    },
    10_000,
    () => last,
  );
  const status = await hub.bac('status');
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(status.stdout).toMatch(/^ +workshop +1 +3 +applied/m);
});

test('its permissions hold: a role does what it may, and no tenant sees another’s', async () => {
  expect(await rest('mike', 'POST', 'customer', { name: 'X' })).toMatchObject({
    status: 403,
    json: { error: { code: 'PERMISSION_DENIED' } },
  });
  const [repair] = (await rest('dora', 'GET', 'repair')).json.records;
  expect(await rest('mike', 'POST', `repair/${repair.id}/transitions/finish`, {})).toMatchObject({
    json: { error: { code: 'TRANSITION_REFUSED', message: expect.stringContaining('Say what was done.') } },
  });
  expect((await rest('sam', 'GET', 'repair')).json.records).toEqual([]);
  expect(await rest('sam', 'GET', `repair/${repair.id}`)).toMatchObject({ status: 404 });
  expect((await graphql('sam', '{ workshopCustomers { edges { node { name } } } }')).data).toEqual({
    workshopCustomers: { edges: [] },
  });
});

test('a change is in force within a second of its apply while records are written, and can be rolled back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bac-test-app-'));
  const file = join(folder, 'app.yaml');
  const text = readFileSync(FILE, 'utf8').replace(
    '      work_done: {',
    '      warranty: { type: boolean, default: false }\n      work_done: {',
  );
  writeFileSync(file, text);
  const stop = new AbortController();
  const refused: unknown[] = [];
  let written = 0;
  const writer = (async () => {
    while (!stop.signal.aborted) {
      const made = await rest('dora', 'POST', 'customer', { name: `Customer ${written}` });
      if (made.status === 201) written += 1;
      else refused.push(made.json);
    }
  })();
  try {
    await eventually(
      async () => (written > 0 ? true : undefined),
      10_000,
      () => JSON.stringify(refused.at(-1)),
    );
    const plan = await hub.bac('app', 'plan', file);
    expect(plan.stdout).toContain('new column workshop.repair.warranty');
    expect(plan.stdout).toContain('goes on with a new schema version: new warranty boolean');
    expect(await hub.bac('app', 'apply', file, '--yes')).toMatchObject({ code: 0 });
    const [repair] = (await rest('dora', 'GET', 'repair')).json.records;
    await eventually(
      async () =>
        (await rest('dora', 'PATCH', `repair/${repair.id}`, { warranty: true })).status === 200
          ? true
          : undefined,
      1000,
    );
    await eventually(
      async () =>
        (await sql('SELECT warranty FROM business.workshop_repair FINAL WHERE _deleted = 0')) === 'true'
          ? true
          : undefined,
      10_000,
    );
    const back = await hub.bac('app', 'rollback', 'workshop', '--yes');
    expect(back).toMatchObject({ code: 0 });
    expect(back.stderr).toContain('workshop.repair.warranty is no longer defined');
    expect(back.stdout).toContain('--confirm-destructive');
    await eventually(
      async () =>
        (await rest('dora', 'PATCH', `repair/${repair.id}`, { warranty: true })).json.error?.code ===
        'FIELD_UNKNOWN'
          ? true
          : undefined,
      1000,
    );
  } finally {
    stop.abort();
    await writer;
    rmSync(folder, { recursive: true });
  }
  expect(refused).toEqual([]);
  const shown = await hub.bac('app', 'show', 'workshop', '--json');
  expect(JSON.parse(shown.stdout)).toMatchObject({
    version: 3,
    versions: [
      { version: 3, state: 'applied', restores: 1 },
      { version: 2, state: 'rolled_back' },
      { version: 1, state: 'applied' },
    ],
  });
  expect(
    (await sql('SELECT count() FROM business.workshop_customer FINAL WHERE _deleted = 0')).length,
  ).toBeGreaterThan(0);
  await eventually(
    async () =>
      Number(await sql('SELECT count() FROM business.workshop_customer FINAL WHERE _deleted = 0')) ===
      written + 1
        ? true
        : undefined,
    10_000,
  );
});

test('a second app joins the stream that the first one began', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bac-test-app-'));
  expect(await hub.bac('app', 'new', 'garden', '--in', folder)).toMatchObject({ code: 0 });
  const applied = await hub.bac('app', 'apply', join(folder, 'garden', 'app.yaml'), '--yes', '--wait');
  rmSync(folder, { recursive: true });
  expect(applied).toMatchObject({ code: 0 });
  const { sources } = JSON.parse((await hub.bac('status', '--json')).stdout) as {
    sources: { name: string; state: string; tables: { schema: string; table: string; state: string }[] }[];
  };
  expect(sources).toMatchObject([{ name: 'business', state: 'streaming' }]);
  const states = sources[0]!.tables.map(({ schema, table, state }) => `${schema}.${table} ${state}`);
  for (const table of ['garden.item', 'garden.item_note', 'workshop.repair', 'bac_probe.probe'])
    expect(states).toContain(`${table} streaming`);
});

test('a bad definition is refused with its places, and changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bac-test-app-'));
  const file = join(folder, 'app.yaml');
  writeFileSync(file, readFileSync(FILE, 'utf8').replace('type: phone', 'type: fone'));
  const refused = await hub.bac('app', 'apply', file, '--yes');
  rmSync(folder, { recursive: true });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /app\.yaml:\d+:\d+: entities\.customer\.fields\.phone.*did you mean `phone`/,
  );
});
