import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createWarehouse } from '#clickhouse';
import { silentLogger, type Warehouse } from '#kernel';
import { type TestClickHouse, testClickHouse } from './clickhouse.ts';

/**
 * Real engines as the shards of one ClickHouse cluster, without replicas. An embedded engine has no TCP
 * port, so it reads its own shard only, and runs no distributed DDL: in front of each stands a gate that
 * does what the server's DDL queue does, sending a statement with ON CLUSTER to every engine.
 */
export interface TestCluster extends AsyncDisposable {
  /** As the hub has it: through the gates. */
  readonly warehouse: Warehouse;
  /** URLs of the gates, separated by commas. */
  readonly url: string;
  readonly engines: readonly TestClickHouse[];
  /** Connections through this gate break and are refused, until `open`. */
  shut(index: number): void;
  open(index: number): void;
}

export const CLUSTER = 'main';
const FIRST_PORT = 9100;

/** Shard `own` (from 0) is the engine itself: the entry with its own port. `count` shards in all. */
export function clusterConfig(own: number, count: number): string {
  const shards = Array.from(
    { length: count },
    (_, index) =>
      `<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>${FIRST_PORT + index}</port></replica></shard>`,
  );
  return `<clickhouse><tcp_port>${FIRST_PORT + own}</tcp_port><remote_servers><${CLUSTER}>${shards.join('')}</${CLUSTER}></remote_servers></clickhouse>`;
}

export async function testCluster(count: number): Promise<TestCluster> {
  const engines = await Promise.all(
    Array.from({ length: count }, (_, own) => testClickHouse({ config: clusterConfig(own, count) })),
  );
  const gates = engines.map((engine) => gate(engine, engines));
  for (const { server } of gates) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const url = gates
    .map(({ server }) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    .reverse() // the order means nothing
    .join(',');
  const { user, password } = engines[0]!;
  const cluster = { name: CLUSTER, replicated: false };
  const warehouse = createWarehouse({ url, user, password, log: silentLogger(), cluster });
  return {
    warehouse,
    url,
    engines,
    shut(index) {
      gates[index]!.state.shut = true;
      gates[index]!.server.closeAllConnections();
    },
    open(index) {
      gates[index]!.state.shut = false;
    },
    async [Symbol.asyncDispose]() {
      await warehouse.close();
      for (const { server } of gates) {
        server.close();
        server.closeAllConnections();
      }
      await Promise.all(engines.map((engine) => engine[Symbol.asyncDispose]()));
    },
  };
}

function gate(
  engine: TestClickHouse,
  all: readonly TestClickHouse[],
): { server: Server; state: { shut: boolean } } {
  const state = { shut: false };
  const server = createServer((incoming, outgoing) => {
    if (state.shut) incoming.socket.destroy();
    else pass(incoming, outgoing, engine, all).catch(() => incoming.socket.destroy());
  });
  return { server, state };
}

const ON_CLUSTER = new RegExp(` ON CLUSTER [\`]?${CLUSTER}[\`]?`);

async function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  engine: TestClickHouse,
  all: readonly TestClickHouse[],
): Promise<void> {
  const inUrl = new URL(incoming.url ?? '/', 'http://gate').searchParams.has('query');
  if (incoming.method !== 'POST' || inUrl) return forward(incoming, outgoing, engine, null);
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const sql = Buffer.concat(chunks).toString();
  if (!ON_CLUSTER.test(sql)) return forward(incoming, outgoing, engine, sql);
  for (const other of all) if (other !== engine) await other.warehouse.command(sql.replace(ON_CLUSTER, ''));
  return forward(incoming, outgoing, engine, sql.replace(ON_CLUSTER, ''));
}

async function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  engine: TestClickHouse,
  body: string | null,
): Promise<void> {
  const { 'content-length': _, 'transfer-encoding': __, ...headers } = incoming.headers;
  const onward = request(`${engine.url}${incoming.url}`, { method: incoming.method ?? 'GET', headers });
  outgoing.once('close', () => onward.destroy());
  const answered = once(onward, 'response');
  if (body === null) incoming.pipe(onward);
  else onward.end(body);
  const [response] = (await answered) as [IncomingMessage];
  outgoing.writeHead(response.statusCode ?? 500, response.headers);
  response.on('error', () => outgoing.destroy());
  response.pipe(outgoing);
}
