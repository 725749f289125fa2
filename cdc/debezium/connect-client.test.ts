import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createConnectClient } from './connect-client.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** Answers as Connect does in the states that a healthy worker does not show. */
async function answering(handler: Handler): Promise<AsyncDisposable & { url: string; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`);
      handler(request, response, Buffer.concat(chunks).toString());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const json = (response: ServerResponse, code: number, body: unknown): void => {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

test('a rebalance is waited for, user and password go along and into no message', async () => {
  let asked = 0;
  await using connect = await answering((_, response) => {
    asked += 1;
    if (asked < 3) json(response, 409, { error_code: 409, message: 'rebalance in process' });
    else json(response, 201, {});
  });
  const url = connect.url.replace('//', '//me:s3cret@');
  const client = createConnectClient({ url });
  await client.create('bac-shop', {});
  expect(connect.seen).toHaveLength(3);
  expect(connect.seen[0]).toContain(`Basic ${Buffer.from('me:s3cret').toString('base64')}`);
  expect(client.url).toBe(connect.url);
  const busy = createConnectClient({ url: connect.url, busyMs: 0 });
  asked = 0;
  await expect(busy.create('bac-shop', {})).rejects.toMatchObject({
    code: 'CONNECT_BUSY',
    disposition: 'transient',
  });
});

test('a read that is refused with 500 because of a rebalance is asked again, other 500s are told', async () => {
  const told = ['Request cannot be completed because a rebalance is expected', 'Out of order'];
  await using connect = await answering((_, response) =>
    json(response, 500, { error_code: 500, message: told.shift() }),
  );
  const client = createConnectClient({ url: connect.url });
  await expect(client.config('bac-shop')).rejects.toMatchObject({
    code: 'CONNECT_FAILED',
    message: expect.stringContaining('Out of order'),
  });
  expect(connect.seen).toHaveLength(2);
});

test('a password that Connect quotes is not told', async () => {
  const config = { 'connector.class': 'a.b.PostgresConnector', 'database.password': 'hunter2' };
  await using connect = await answering((request, response, body) => {
    if (request.url?.includes('validate')) {
      const errors = [`cannot log in with ${JSON.parse(body)['database.password']}`];
      json(response, 200, {
        configs: [{ definition: null, value: { name: 'database.user', errors } }, { value: null }],
      });
    } else json(response, 400, { error_code: 400, message: `bad config ${body}` });
  });
  const client = createConnectClient({ url: connect.url });
  expect(await client.validate(config)).toEqual(['database.user: cannot log in with [secret]']);
  const refused = await client.create('bac-shop', config).catch((error: Error) => error);
  expect(refused).toMatchObject({ code: 'CONNECT_REFUSED', disposition: 'user' });
  expect(String(refused)).not.toContain('hunter2');
});

test.each([
  [401, 'x', 'CONNECT_REFUSED', 'user'],
  [503, 'x', 'CONNECT_FAILED', 'transient'],
  [200, '<html>', 'CONNECT_ANSWER_INVALID', 'fatal'],
  [200, '{"version": 3}', 'CONNECT_ANSWER_INVALID', 'fatal'],
  [200, 'x'.repeat(5_000_000), 'CONNECT_ANSWER_INVALID', 'fatal'],
])('an answer %i is %s', async (status, text, code, disposition) => {
  await using connect = await answering((_, response) => {
    response.writeHead(status);
    response.end(text);
  });
  await expect(createConnectClient({ url: connect.url }).version()).rejects.toMatchObject({
    code,
    disposition,
  });
});

test('nobody there, and somebody who does not answer', async () => {
  await using silent = await answering(() => undefined);
  const slow = createConnectClient({ url: silent.url, timeoutMs: 50 });
  await expect(slow.version()).rejects.toMatchObject({ code: 'CONNECT_UNREACHABLE' });
  const nobody = createConnectClient({ url: 'http://127.0.0.1:1' });
  await expect(nobody.plugins()).rejects.toMatchObject({
    code: 'CONNECT_UNREACHABLE',
    disposition: 'transient',
    next: expect.stringContaining('connect.url'),
  });
});
