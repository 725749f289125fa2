import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Principal, silentLogger } from '#kernel';
import { type TestLog, testLog } from '#tests/log';
import { type ChangeFeed, createChangeFeed } from '../changes/index.ts';
import { appsOf, someone, type TestRuntime, testRuntime } from '../runtime/testing.ts';
import type { Values } from '../runtime/types.ts';
import { createGraphqlHandler, type GraphqlHandler } from './index.ts';

const APPS = appsOf(`
app: { name: desk, label: Desk }
permissions: [{ role: worker, can: all }]
roles: { worker: Worker, guest: Guest }
entities:
  client:
    titleField: name
    searchFields: [name]
    fields:
      name: { type: text, required: true }
      city: { type: address }
      parent: { type: reference, entity: client }
  ticket:
    titleField: subject
    searchFields: [subject]
    numbering: { field: number, prefix: T- }
    states:
      initial: open
      list: { open: Open, closed: Closed }
      terminal: [closed]
      transitions: [{ name: close, from: open, to: closed }]
    permissions:
      - { role: worker, can: all }
      - { role: guest, can: [read], where: urgent = false, hide: [hours] }
    fields:
      subject: { type: text, required: true, maxLength: 80 }
      client: { type: reference, entity: client, required: true }
      about: { type: anyReference, entities: [desk.client, desk.ticket] }
      urgent: { type: boolean, required: true, default: false }
      hours: { type: decimal, precision: 6, scale: 2 }
      seen: { type: integer }
      notes: { type: childTable, entity: note }
  note:
    fields:
      text: { type: text, required: true }
`);

let engine: TestRuntime;
let holder: TestLog;
let feed: ChangeFeed;
let handler: GraphqlHandler;
/** Compiles each query at its first time. */
let compiling: GraphqlHandler;
/** Off where what the database does is counted. */
let compares = true;
const worker = someone('w@one.example', ['worker']);
const guest = someone('g@one.example', ['guest']);

beforeAll(async () => {
  engine = await testRuntime(APPS);
  holder = await testLog();
  await holder.log.ensureTopic('business.desk.ticket', { partitions: 1 });
  feed = createChangeFeed({ log: holder.log, source: 'business', logger: silentLogger() });
  const options = { runtime: engine.runtime, feed, logger: silentLogger(), development: false };
  handler = createGraphqlHandler(options);
  compiling = createGraphqlHandler({ ...options, compiledAfter: 1 });
}, 60_000);
afterAll(async () => {
  await feed.close();
  await holder.stop();
  await engine[Symbol.asyncDispose]();
});

interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, checked by each test
  readonly data?: any;
  readonly errors?: readonly { message: string; path?: unknown; extensions: Record<string, unknown> }[];
}

const post = (body: object, principal: Principal = worker, signal?: AbortSignal): Promise<Response> =>
  send('/graphql', body, { accept: signal ? 'text/event-stream' : 'application/json' }, principal, signal);
const send = async (
  url: string,
  body: object,
  headers: Readonly<Record<string, string>>,
  principal: Principal = worker,
  signal?: AbortSignal,
): Promise<Response> => {
  const request = {
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    ...(signal ? { signal: () => signal } : {}),
  };
  const caller = { principal, requestId: 'test' };
  const answer = await handler(request, caller);
  // A compiled query says what graphql-js says, whatever the test at hand asks.
  if (compares && 'direct' in answer && !/^\s*mutation/.test((body as { query: string }).query))
    expect(await compiling(request, caller)).toEqual(answer);
  return 'direct' in answer
    ? new Response(answer.text, { status: answer.status, headers: { 'content-type': answer.contentType } })
    : answer;
};
const ask = async (query: string, variables: Values = {}, principal?: Principal): Promise<Answer> =>
  (await post({ query, variables }, principal)).json() as Promise<Answer>;

const newClient = async (name: string): Promise<string> =>
  (
    await ask('mutation ($input: DeskClientCreateInput!) { createDeskClient(input: $input) { id } }', {
      input: { name },
    })
  ).data.createDeskClient.id;
const newTicket = async (input: Values): Promise<{ id: string; number: string; version: number }> =>
  (
    await ask(
      'mutation ($input: DeskTicketCreateInput!) { createDeskTicket(input: $input) { id number version } }',
      {
        input,
      },
    )
  ).data.createDeskTicket;

describe('reading and writing', () => {
  test('a record with its children, references and back references', async () => {
    const client = await newClient('Ada Works');
    const { id } = await newTicket({
      subject: 'Broken lamp',
      client,
      about: { entity: 'desk.client', id: client },
      seen: '9007199254740993',
      notes: [{ text: 'first' }, { text: 'second' }],
    });
    const { data, errors } = await ask(
      `query ($id: ID!) { deskTicket(id: $id) {
        number status subject urgent seen hours
        client { name tickets(first: 5) { nodes { id } } }
        about { ... on DeskClient { name } }
        notes { text position ticket { id } }
        timeline { kind actor } } }`,
      { id },
    );
    expect(errors).toBeUndefined();
    expect(data.deskTicket).toMatchObject({
      status: 'open',
      subject: 'Broken lamp',
      urgent: false,
      seen: '9007199254740993',
      hours: null,
      client: { name: 'Ada Works', tickets: { nodes: [{ id }] } },
      about: { name: 'Ada Works' },
      notes: [
        { text: 'first', position: 1, ticket: { id } },
        { text: 'second', position: 2, ticket: { id } },
      ],
      timeline: [{ kind: 'created', actor: 'w@one.example' }],
    });
  });

  test('update, transition and delete, each with the version seen', async () => {
    const { id, version } = await newTicket({ subject: 'Old', client: await newClient('B') });
    const update =
      'mutation ($id: ID!, $v: Int) { updateDeskTicket(id: $id, version: $v, input: { subject: "New" }) { version subject } }';
    const first = await ask(update, { id, v: version });
    expect(first.data.updateDeskTicket).toMatchObject({ subject: 'New', version: version + 1 });
    const stale = await ask(update, { id, v: version });
    expect(stale.errors).toMatchObject([
      { path: ['updateDeskTicket'], extensions: { code: 'VERSION_STALE' } },
    ]);
    const closed = await ask(
      'mutation ($id: ID!) { transitionDeskTicket(id: $id, name: close) { status } }',
      { id },
    );
    expect(closed.data.transitionDeskTicket.status).toBe('closed');
    const again = await ask('mutation ($id: ID!) { transitionDeskTicket(id: $id, name: close) { status } }', {
      id,
    });
    expect(again.errors![0]!.extensions.code).toBe('TRANSITION_REFUSED');
    expect(
      (await ask('mutation ($id: ID!) { deleteDeskTicket(id: $id) }', { id })).data.deleteDeskTicket,
    ).toBe(id);
    expect((await ask('query ($id: ID!) { deskTicket(id: $id) { id } }', { id })).data.deskTicket).toBeNull();
  });

  test('pages forward and backward meet, and count', async () => {
    const client = await newClient('Pages');
    for (let n = 0; n < 7; n += 1) await newTicket({ subject: `page ${n}`, client });
    const list = `query ($first: Int, $after: String, $last: Int, $before: String, $c: ID!) {
      deskTickets(filter: { client: { id: { eq: $c } } }, sort: [subject_desc], first: $first, after: $after, last: $last, before: $before) {
        nodes { subject } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`;
    const one = (await ask(list, { first: 3, c: client })).data.deskTickets;
    expect(one.nodes.map((node: { subject: string }) => node.subject)).toEqual([
      'page 6',
      'page 5',
      'page 4',
    ]);
    expect(one).toMatchObject({ totalCount: 7, pageInfo: { hasNextPage: true, hasPreviousPage: false } });
    const two = (await ask(list, { first: 3, after: one.pageInfo.endCursor, c: client })).data.deskTickets;
    expect(two.nodes.map((node: { subject: string }) => node.subject)).toEqual([
      'page 3',
      'page 2',
      'page 1',
    ]);
    const back = (await ask(list, { last: 3, before: two.pageInfo.startCursor, c: client })).data.deskTickets;
    expect(back.nodes).toEqual(one.nodes);
    expect(back.pageInfo).toMatchObject({ hasPreviousPage: false, hasNextPage: true });
    const both = await ask(list, { first: 1, last: 1, c: client });
    expect(both.errors![0]!.extensions.code).toBe('CURSOR_INVALID');
  });

  test('figures, search and rights', async () => {
    const client = await newClient('Figures');
    await newTicket({ subject: 'findable zebra', client, hours: '1.50' });
    await newTicket({ subject: 'other', client, hours: '2.25', urgent: true });
    const { data, errors } = await ask(
      `query ($c: ID!) {
        deskTicketsAggregate(filter: { client: { id: { eq: $c } } }, by: ["urgent"], measures: ["count", "sum:hours"]) { by values }
        search(text: "zebra") { entity title }
        me { user roles may(entity: "desk.ticket") } }`,
      { c: client },
    );
    expect(errors).toBeUndefined();
    expect(data.deskTicketsAggregate).toEqual(
      expect.arrayContaining([
        { by: { urgent: false }, values: { count: 1, 'sum:hours': '1.50' } },
        { by: { urgent: true }, values: { count: 1, 'sum:hours': '2.25' } },
      ]),
    );
    expect(data.search).toEqual([{ entity: 'desk.ticket', title: 'findable zebra' }]);
    expect(data.me).toMatchObject({ user: 'w@one.example', may: { update: true, transitions: ['close'] } });
  });

  test('the same key acts once; bulk is all or nothing', async () => {
    const client = await newClient('Once');
    const query =
      'mutation ($input: DeskTicketCreateInput!) { createDeskTicket(input: $input, idempotencyKey: "k-1") { id } }';
    const made = await Promise.all([1, 2, 3].map(() => ask(query, { input: { subject: 'once', client } })));
    const ids = new Set(
      made.filter((one) => one.data?.createDeskTicket).map((one) => one.data.createDeskTicket.id),
    );
    expect(ids.size).toBe(1);
    const bulk = 'mutation ($o: [BulkOperation!]!) { bulk(operations: $o) }';
    const failed = await ask(bulk, {
      o: [
        { op: 'create', entity: 'desk.ticket', values: { subject: 'bulk', client } },
        { op: 'create', entity: 'desk.ticket', values: { client } },
      ],
    });
    expect(failed.errors![0]!.extensions).toMatchObject({ code: 'VALUE_REQUIRED' });
    const { data } = await ask('{ deskTickets(filter: { subject: { eq: "bulk" } }) { totalCount } }');
    expect(data.deskTickets.totalCount).toBe(0);
  });
});

test('an answer is the same with and without the detour over fetch', async () => {
  const { id } = await newTicket({ subject: 'both', client: await newClient('Both') });
  const both = async (body: object) => {
    const answers: { status: number; type: string | null; body: unknown }[] = [];
    // A query string is left to the full handler.
    for (const url of ['/graphql', '/graphql?full']) {
      const response = await send(url, body, { accept: 'application/json' });
      answers.push({
        status: response.status,
        type: response.headers.get('content-type'),
        body: await response.json(),
      });
    }
    expect(answers[0]).toEqual(answers[1]);
    return answers[0]!.body as Answer;
  };
  const one = 'query One($id: ID!) { deskTicket(id: $id) { subject client { name } } }';
  expect((await both({ query: one, variables: { id } })).data.deskTicket.subject).toBe('both');
  expect((await both({ query: one, variables: { id }, operationName: 'One' })).errors).toBeUndefined();
  const refused = [
    { query: one },
    { query: one, operationName: 'Two', variables: { id } },
    { query: one, variables: [id] },
    { query: '{ deskTickets(first: 5000) { nodes { id } } }' },
    { query: '{ deskClient(id: 1) { nothing } }' },
    { query: 'subscription { deskTicketChanged { id } }', operationName: 'x' },
    {
      query: `mutation ($id: ID!) { updateDeskTicket(id: $id, version: 99, input: { subject: "x" }) { id } }`,
      variables: { id },
    },
  ];
  for (const body of refused) expect((await both(body)).errors?.length).toBeGreaterThan(0);
  const typed = await send(
    '/graphql',
    { query: '{ me { user } }' },
    { accept: 'application/graphql-response+json' },
  );
  expect(typed.headers.get('content-type')).toBe('application/graphql-response+json; charset=utf-8');
});

describe('what is refused has a code, a sentence and a place', () => {
  const create = 'mutation ($input: DeskTicketCreateInput!) { createDeskTicket(input: $input) { id } }';
  test.for<[string, string, Values, string]>([
    ['a wrong type', create, { input: { subject: 5 as never, client: '1' } }, 'QUERY_INVALID'],
    ['an unknown field', create, { input: { subject: 'x', client: '1', nope: 1 } }, 'QUERY_INVALID'],
    [
      'a number too large',
      create,
      { input: { subject: 'x', client: '1', seen: '99999999999999999999' } },
      'VALUE_INVALID',
    ],
    [
      'an integer beyond bigint',
      create,
      { input: { subject: 'x', client: '1', seen: '9223372036854775808' } },
      'VALUE_INVALID',
    ],
    ['a reference to nothing', create, { input: { subject: 'x', client: '999999' } }, 'REFERENCE_UNKNOWN'],
    ['an id that is none', create, { input: { subject: 'x', client: "1' OR 1=1" } }, 'VALUE_INVALID'],
    ['a text too long', create, { input: { subject: 'x'.repeat(81), client: '1' } }, 'VALUE_INVALID'],
    ['a page too large', '{ deskTickets(first: 5000) { nodes { id } } }', {}, 'LIMIT_EXCEEDED'],
    ['a cursor of another list', '{ deskTickets(after: "abc") { nodes { id } } }', {}, 'CURSOR_INVALID'],
    ['a syntax error', '{ deskTickets( }', {}, 'GRAPHQL_PARSE_FAILED'],
    ['an unknown query', '{ nothing }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'an unknown measure',
      '{ deskTicketsAggregate(measures: ["sum:subject"]) { by } }',
      {},
      'FILTER_INVALID',
    ],
  ])('%s', async ([, query, variables, code]) => {
    const { errors } = await ask(query, variables);
    expect(errors?.map((error) => error.extensions.code)).toContain(code);
    expect(errors![0]!.message).toMatch(/\w+ \w+/);
    expect(JSON.stringify(errors)).not.toMatch(/SELECT|pg_|at .*\.ts/);
  });

  test('text that looks like SQL is text', async () => {
    const client = await newClient("Robert'); DROP TABLE desk.ticket; --");
    const { data } = await ask(
      'query ($n: String) { deskClients(filter: { name: { eq: $n } }) { nodes { id } } }',
      {
        n: "Robert'); DROP TABLE desk.ticket; --",
      },
    );
    expect(data.deskClients.nodes).toEqual([{ id: client }]);
  });

  test('queries deeper or costlier than allowed do not run', async () => {
    const deep = `{ deskClient(id: 1) ${'{ parent '.repeat(14)} { id } ${'} '.repeat(14)} }`;
    expect((await ask(deep)).errors![0]!.extensions.code).toBe('QUERY_TOO_DEEP');
    const wide = '{ deskClients(first: 500) { nodes { tickets(first: 500) { nodes { id } } } } }';
    expect((await ask(wide)).errors![0]!.extensions.code).toBe('QUERY_TOO_COSTLY');
  });
});

test('a list asks the database once per level, whatever its length', async () => {
  compares = false;
  for (let n = 0; n < 12; n += 1)
    await newTicket({ subject: `level ${n}`, client: await newClient(`level ${n}`), notes: [{ text: 'n' }] });
  const query =
    '{ deskTickets(first: 100, sort: [id_desc]) { nodes { subject client { name tickets(first: 2) { nodes { id } } } notes { text } } } }';
  const counted = async (run: () => Promise<unknown>): Promise<number> => {
    const calls = async (): Promise<number> => {
      await engine.owner.query('SELECT pg_stat_clear_snapshot()');
      const { rows } = await engine.owner.query<{ n: number }>(
        'SELECT xact_commit::int AS n FROM pg_stat_database WHERE datname = current_database()',
      );
      return rows[0]!.n;
    };
    const before = await calls();
    await run();
    return (await calls()) - before;
  };
  await ask(query);
  const { data } = await ask(query);
  expect(data.deskTickets.nodes.length).toBeGreaterThan(12);
  // Statistics arrive up to a second late, those of the writes above too: many times, for longer than that. One
  // query per row would be over 40 each time.
  let times = 0;
  const all = await counted(async () => {
    for (const until = performance.now() + 2500; performance.now() < until; times += 1) await ask(query);
  });
  expect(all / times).toBeGreaterThan(0);
  expect(all / times).toBeLessThan(25);
  compares = true;
  await ask(query);
});

describe('rights', () => {
  test('rows, fields and writes a role has no right to are not there', async () => {
    const client = await newClient('Rights');
    const open = await newTicket({ subject: 'plain', client, hours: '3' });
    const urgent = await newTicket({ subject: 'urgent', client, urgent: true });
    const one = 'query ($id: ID!) { deskTicket(id: $id) { subject hours } }';
    expect(
      (await ask(one, { id: open.id }, guest)).errors?.[0]?.extensions.code ??
        (await ask(one, { id: open.id }, guest)).data.deskTicket.hours,
    ).toSatisfy((value: unknown) => value === 'FIELD_DENIED' || value === null);
    expect(
      (await ask('query ($id: ID!) { deskTicket(id: $id) { subject } }', { id: urgent.id }, guest)).data
        .deskTicket,
    ).toBeNull();
    const sorted = await ask('{ deskTickets(sort: [hours_asc]) { nodes { id } } }', {}, guest);
    expect(sorted.errors![0]!.extensions.code).toBe('FIELD_DENIED');
    const written = await ask(
      'mutation ($id: ID!) { updateDeskTicket(id: $id, input: { subject: "x" }) { id } }',
      { id: open.id },
      guest,
    );
    expect(written.errors![0]!.extensions.code).toBe('PERMISSION_DENIED');
  });

  test('another tenant sees nothing', async () => {
    const { id } = await newTicket({ subject: 'ours', client: await newClient('Ours') });
    const other = someone('w@two.example', ['worker'], 'two');
    const { data } = await ask(
      'query ($id: ID!) { deskTicket(id: $id) { id } deskTickets { totalCount } }',
      { id },
      other,
    );
    expect(data).toEqual({ deskTicket: null, deskTickets: { totalCount: 0 } });
  });
});

test('a query can be sent by its hash once it is known', async () => {
  const query = '{ me { user } }';
  const persistedQuery = { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') };
  const unknown = (await (await post({ extensions: { persistedQuery } })).json()) as Answer;
  expect(unknown.errors![0]!.extensions.code).toBe('PERSISTED_QUERY_NOT_FOUND');
  await post({ query, extensions: { persistedQuery } });
  const known = (await (await post({ extensions: { persistedQuery } })).json()) as Answer;
  expect(known.data.me.user).toBe('w@one.example');
  const forged = (await (
    await post({ query: '{ me { tenant } }', extensions: { persistedQuery } })
  ).json()) as Answer;
  expect(forged.errors![0]!.extensions.code).toBe('PERSISTED_QUERY_INVALID');
});

test('live changes are what the subscriber may see, and say when a record is gone', async () => {
  const client = await newClient('Live');
  const plain = await newTicket({ subject: 'live', client });
  const urgent = await newTicket({ subject: 'hidden', client, urgent: true });
  const abort = new AbortController();
  const response = await post(
    { query: 'subscription { deskTicketChanged { kind id record { subject } } }' },
    guest,
    abort.signal,
  );
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const change = (id: string, op: string) => ({
    key: Buffer.from(`{"id":${id}}`),
    value: Buffer.from(
      JSON.stringify({
        before: null,
        after: op === 'd' ? null : { id: Number(id), tenant_id: 'one' },
        op,
        ts_ms: 1,
      }),
    ),
  });
  const append = (...records: ReturnType<typeof change>[]) =>
    holder.log.append([{ topic: 'business.desk.ticket', partition: 0, records }]);
  let text = '';
  const until = async (wanted: RegExp): Promise<void> => {
    while (!wanted.test(text)) {
      const timer = setTimeout(() => void append(change(urgent.id, 'u'), change(plain.id, 'u')), 200);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) throw new Error(`the stream ended: ${text}`);
      text += value;
    }
  };
  await until(/"subject":"live"/);
  await engine.owner.query('UPDATE desk.ticket SET urgent = true WHERE id = $1', [plain.id]);
  await append(change(plain.id, 'u'), change(urgent.id, 'd'));
  await until(/GONE/);
  expect(text).toContain(`"kind":"GONE","id":"${plain.id}","record":null`);
  expect(text).not.toContain('hidden');
  expect(text).not.toContain(`"id":"${urgent.id}"`);
  abort.abort();
  await reader.cancel().catch(() => undefined);
});
