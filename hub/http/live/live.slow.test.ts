import { once } from 'node:events';
import cube, { type ITransport, type ITransportResponse } from '@cubejs-client/core';
import WebSocketTransport from '@cubejs-client/ws-transport';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configSchema, silentLogger } from '#kernel';
import { eventually } from '#tests/eventually';
import { createApiKey } from '../../identity/index.ts';
import { createHttpServer } from '../server.ts';
import { type TestHub, testHub } from '../testing.ts';

let hub: TestHub;
let url: string;
beforeAll(async () => {
  hub = await testHub({ semantic: true });
  url = `${hub.url.replace('http', 'ws')}/cubejs-api/v1/live`;
  await hub.pool.query(`CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric(12, 2) NOT NULL);
    INSERT INTO orders VALUES (1, 10.5), (2, 20)`);
  await fetch(`${hub.url}/api/v1/sources`, {
    method: 'POST',
    headers: { authorization: `Bearer ${hub.keys.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'shop', url: hub.database, tables: ['orders'] }),
  });
  await eventually(async () => {
    const [table] = await hub.registry.tables('shop');
    return table?.state === 'streaming' ? true : undefined;
  }, 60_000);
}, 120_000);
afterAll(() => hub[Symbol.asyncDispose]());

/** Its types do not say that what is imported is the class. */
const Transport = WebSocketTransport as unknown as new (options: {
  authorization: string;
  apiUrl: string;
}) => ITransport<ITransportResponse<unknown>> & { close(): Promise<void> };

const orders = { measures: ['shop_orders.count', 'shop_orders.amount_sum'] };

// biome-ignore lint/suspicious/noExplicitAny: messages are looked into member by member
type Message = any;

type Init = { readonly headers?: Readonly<Record<string, string>> };
/** Node's, which takes headers. */
const Socket = WebSocket as unknown as new (url: string, init?: Init) => WebSocket;

/** A client of its own, without Cube's: says what the test says. */
async function raw(init?: Init, to = url) {
  const socket = new Socket(to, init);
  const got: Message[] = [];
  socket.addEventListener('message', ({ data }) => got.push(JSON.parse(String(data))));
  const closed = once(socket, 'close').then(([event]) => (event as { code: number }).code);
  await once(socket, 'open');
  return {
    got,
    closed,
    say: (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    answer: (fits: (message: Message) => boolean): Promise<Message> =>
      eventually(
        async () => got.find(fits),
        30_000,
        () => JSON.stringify(got),
      ),
    end: async () => {
      socket.close();
      await closed;
    },
  };
}

test('Cube’s own client follows a question and hears of a change that came through the stream', async () => {
  const transport = new Transport({ authorization: hub.keys.read, apiUrl: url });
  const api = cube(hub.keys.read, { transport, apiUrl: url });
  const seen: string[] = [];
  const following = api.subscribe(orders, {}, (error, result) => {
    seen.push(String(error ?? result?.rawData()[0]?.['shop_orders.count']));
  });
  await eventually(
    async () => (seen.at(-1) === '2' ? true : undefined),
    60_000,
    () => seen.join(),
  );
  await hub.pool.query('INSERT INTO orders VALUES (3, 5)');
  await eventually(
    async () => (seen.at(-1) === '3' ? true : undefined),
    10_000,
    () => seen.join(),
  );
  await following.unsubscribe();
  const once = await api.load(orders);
  expect(once.rawData()).toEqual([{ 'shop_orders.count': '3', 'shop_orders.amount_sum': '35.5' }]);
  expect((await api.meta()).cubes.map(({ name }) => name)).toContain('shop_orders');
  await transport.close();
});

test('what is said again goes on as it is; what is given up, or another question in its place, is heard no more', async () => {
  const client = await raw({ headers: { authorization: `Bearer ${hub.keys.read}` } });
  client.say({});
  await client.answer(({ handshake }) => handshake);
  const follow = (messageId: number, measure: string) =>
    client.say({
      messageId,
      requestId: `r${messageId}`,
      method: 'subscribe',
      params: { query: { measures: [measure] } },
    });
  const answers = (id: number): Message[] => client.got.filter(({ messageId }) => messageId === id);
  follow(1, 'shop_orders.count');
  follow(2, 'shop_orders.amount_sum');
  for (const id of [1, 2]) await client.answer(({ messageId }) => messageId === id);
  follow(1, 'shop_orders.count');
  follow(2, 'shop_orders.count');
  await eventually(async () => (answers(2).length === 2 ? true : undefined), 10_000);
  client.say({ unsubscribe: 1 });
  await hub.pool.query('INSERT INTO orders VALUES (4, 6)');
  await eventually(async () => (answers(2).length === 3 ? true : undefined), 10_000);
  expect(answers(2).at(-1)).toMatchObject({
    requestId: 'r2',
    status: 200,
    message: { data: [{ 'shop_orders.count': '4' }], tables: ['shop.orders'] },
  });
  expect(answers(1)).toHaveLength(1);
  await client.end();
});

test('the other methods of Cube’s protocol', async () => {
  const client = await raw();
  client.say({ authorization: `Bearer ${hub.keys.read}` });
  client.say({ messageId: 'a', method: 'sql', params: { query: orders } });
  client.say({ messageId: 'b', method: 'dry-run', params: { query: orders } });
  client.say({ messageId: 'c', method: 'load', params: { query: orders, queryType: 'multi' } });
  const answer = (id: string): Promise<Message> =>
    client.answer(({ messageId, message }) => messageId === id && message);
  expect((await answer('a')).message.sql.sql[0]).toContain('`shop`.`orders`');
  expect((await answer('b')).message.queryType).toBe('regularQuery');
  expect((await answer('c')).message.results).toHaveLength(1);
  await client.answer(({ messageProcessedId }) => messageProcessedId === 'c');
  await client.end();
});

test('nobody without a key; what is wrong is named and the connection goes on; too much is refused', async () => {
  const stranger = await raw();
  stranger.say({ messageId: 1, method: 'load', params: { query: orders } });
  expect(await stranger.answer(({ messageId }) => messageId === 1)).toMatchObject({
    status: 401,
    message: { code: 'UNAUTHORISED' },
  });
  stranger.say({ authorization: 'a.b' });
  expect(await stranger.closed).toBe(1008);

  const client = await raw();
  client.say({ authorization: hub.keys.read });
  client.say('no json');
  client.say({ messageId: 2, method: 'subscribe', params: { query: { measures: ['shop_orders.amuont'] } } });
  client.say({ messageId: 3, method: 'drop' });
  await client.answer(({ message }) => message?.code === 'MESSAGE_INVALID');
  expect(await client.answer(({ messageId }) => messageId === 2)).toMatchObject({
    status: 400,
    message: { code: 'QUERY_INVALID', error: expect.stringContaining('amuont') },
  });
  await client.answer(({ status, message }) => status === 400 && message?.code === 'REQUEST_INVALID');
  for (let id = 10; id < 111; id += 1)
    client.say({ messageId: id, method: 'subscribe', params: { query: orders } });
  await client.answer(
    ({ messageId, message }) => messageId === 110 && message?.code === 'TOO_MANY_QUESTIONS',
  );
  client.say('x'.repeat(300_000));
  expect(await client.closed).toBe(1009);

  const page = await raw({ headers: { origin: 'https://elsewhere.example', cookie: 'bac_session=1.2' } });
  page.say({});
  expect(await page.closed).toBe(1008);
});

test('whoever speaks next ends what was followed before; a client that goes at once leaves nothing behind', async () => {
  const client = await raw();
  client.say({ authorization: hub.keys.admin });
  client.say({ messageId: 1, method: 'subscribe', params: { query: orders } });
  await client.answer(({ messageId }) => messageId === 1);
  client.say({ authorization: hub.keys.read });
  client.say({ messageId: 2, method: 'subscribe', params: { query: orders } });
  await client.answer(({ messageId }) => messageId === 2);
  const told = client.got.length;
  await hub.pool.query('INSERT INTO orders VALUES (5, 1)');
  await client.answer((message) => client.got.indexOf(message) >= told);
  expect(client.got.filter(({ messageId }) => messageId === 1)).toHaveLength(1);
  await client.end();

  const timers = (): number => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length;
  const before = timers();
  for (let round = 0; round < 10; round += 1) {
    const hasty = await raw();
    hasty.say({ authorization: hub.keys.read });
    hasty.say({ messageId: 1, method: 'subscribe', params: { query: orders } });
    await hasty.end();
  }
  await eventually(
    async () => (timers() <= before ? true : undefined),
    20_000,
    () => `${before} to ${timers()}`,
  );
});

test('a connection ends soon after its key has', async () => {
  const principal = { tenant: null, user: 'guest', roles: [], attributes: {}, scopes: ['read'] } as const;
  const key = await createApiKey(hub.pool, principal);
  const client = await raw();
  client.say({ authorization: key });
  await client.answer(({ handshake }) => handshake);
  await hub.pool.query('UPDATE bac.api_keys SET revoked_at = now() WHERE id = $1', [key.split('.')[0]]);
  expect(await client.closed).toBe(1008);
});

test('messages count as requests; giving up a question never does', async () => {
  const http = createHttpServer({
    ...hub,
    config: {
      ...hub.config,
      limits: configSchema.parse({ limits: { local: { perSecond: 0.1, burst: 5 } } }).limits,
    },
    logger: silentLogger(),
    webRoot: `${hub.stateDir}/web`,
    services: {} as never, // nobody gets so far
  });
  const { port } = await http.listen();
  try {
    const client = await raw({}, `ws://127.0.0.1:${port}/cubejs-api/v1/live`);
    client.say({ authorization: hub.keys.read });
    for (const messageId of [1, 2, 3, 4])
      client.say({ messageId, method: messageId === 1 ? 'subscribe' : 'dry-run', params: { query: orders } });
    const answer = await client.answer(({ messageId }) => messageId === 4);
    expect(answer).toMatchObject({ status: 429, message: { code: 'RATE_LIMITED' } });
    await client.answer(({ messageId, status }) => messageId === 3 && status === 200);
    client.say({ unsubscribe: 1 });
    client.say({ messageId: 5, method: 'dry-run', params: { query: orders } });
    await client.answer(({ messageId, status }) => messageId === 5 && status === 429);
    expect(client.got.filter(({ status }) => status === 429)).toHaveLength(2);
    await client.end();
  } finally {
    await http.close();
  }
});
