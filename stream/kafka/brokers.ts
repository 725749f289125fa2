import { readFileSync } from 'node:fs';
import type { Logger } from '#kernel';
import {
  ConnectionPool,
  createLogger,
  createSocketFactory,
  DriverBroker,
  type DriverLogger,
  LEVELS,
  type NodeAddress,
  type ProtocolRequest,
  type SaslOptions,
} from './driver.ts';
import { closed, kafkaError } from './errors.ts';
import { type ClusterMetadata, metadataRequest } from './requests.ts';

export interface TlsOptions {
  /** PEM of whom to trust; absent = the system's authorities. */
  readonly caFile?: string;
  /** PEM pair that the brokers ask of clients. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface ClusterOptions {
  /** `host:port` of some brokers; the others are learned from them. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: TlsOptions | null;
  readonly sasl?: SaslOptions | null;
  readonly log: Logger;
}

const CONNECT_MS = 5000;
const REQUEST_MS = 30_000;

/** One broker, connected when used and again after it was lost. */
export interface Link {
  /** kafkajs' own requests. Rejects with what kafkajs threw. */
  call<Result>(ask: (broker: DriverBroker) => Promise<Result>): Promise<Result>;
  send<Response>(request: ProtocolRequest<Response>): Promise<Response>;
  close(): void;
}

/** The brokers of a cluster as one user of them sees them: connections of its own, metadata of its own. */
export interface Brokers {
  readonly names: string;
  /** Any broker that answers; those given in the options are tried in turn. Error: what the last one said. */
  any(): Promise<Link>;
  node(id: number): Promise<Link>;
  at(address: NodeAddress): Link;
  /** Reads metadata from any broker and remembers where brokers are and who leads what. null = all topics. */
  refresh(topics: readonly string[] | null): Promise<ClusterMetadata>;
  /** As last read; undefined = not known, or the partition has no leader now. */
  leader(topic: string, partition: number): number | undefined;
  partitions(topic: string): number | undefined;
  /** After an answer that says the metadata are old. */
  forget(topic: string): void;
  /** The same cluster over connections of its own. */
  spare(): Brokers;
  close(): void;
}

export function openBrokers(options: ClusterOptions): Brokers {
  const logger = driverLogger(options.log);
  const socketFactory = createSocketFactory();
  const links = new Map<string, Link>();
  const nodes = new Map<number, NodeAddress>();
  const leaders = new Map<string, (number | undefined)[]>();
  const names = options.brokers.join(',');
  let turn = 0;
  let isClosed = false;

  const link = (host: string, port: number): Link => {
    if (isClosed) throw closed();
    const key = `${host}:${port}`;
    const known = links.get(key);
    if (known) return known;
    const made = openLink(
      () =>
        new ConnectionPool({
          host,
          port,
          clientId: options.clientId,
          ssl: options.tls ? tlsOptions(options.tls) : null,
          sasl: options.sasl ? { ...options.sasl } : null,
          socketFactory,
          connectionTimeout: CONNECT_MS,
          requestTimeout: REQUEST_MS,
          enforceRequestTimeout: true,
          logger,
        }),
      logger,
    );
    links.set(key, made);
    return made;
  };
  const any = async (): Promise<Link> => {
    let last: unknown = closed();
    const known = [...nodes.values()].map(({ host, port }) => ({ host, port }));
    const given = options.brokers.map((broker) => {
      const colon = broker.lastIndexOf(':');
      return { host: broker.slice(0, colon), port: Number(broker.slice(colon + 1)) };
    });
    const candidates = [...known, ...given];
    for (let tries = 0; tries < candidates.length; tries += 1) {
      const { host, port } = candidates[(turn + tries) % candidates.length]!;
      try {
        const one = link(host, port);
        await one.call(async () => undefined);
        turn = (turn + tries) % candidates.length;
        return one;
      } catch (error) {
        last = error;
      }
    }
    turn += 1;
    throw last;
  };

  const self: Brokers = {
    names,
    any,
    async node(id) {
      if (!nodes.has(id)) await self.refresh([]);
      const address = nodes.get(id);
      if (!address) return any();
      return link(address.host, address.port);
    },
    at: ({ host, port }) => link(host, port),
    async refresh(topics) {
      const from = await any();
      // No topic at all cannot be asked for: an empty list means all of them.
      const metadata = await from.send(
        metadataRequest(topics?.length === 0 ? ['__consumer_offsets'] : topics),
      );
      nodes.clear();
      for (const node of metadata.nodes) nodes.set(node.nodeId, node);
      if (topics === null) leaders.clear();
      for (const topic of topics ?? []) leaders.delete(topic);
      for (const { topic, error, partitions } of metadata.topics) {
        if (error !== 0) continue;
        const list: (number | undefined)[] = new Array(partitions.length).fill(undefined);
        for (const one of partitions) if (one.leader >= 0) list[one.partition] = one.leader;
        leaders.set(topic, list);
      }
      return metadata;
    },
    leader: (topic, partition) => leaders.get(topic)?.[partition],
    partitions: (topic) => leaders.get(topic)?.length,
    forget: (topic) => void leaders.delete(topic),
    spare: () => openBrokers(options),
    close() {
      isClosed = true;
      for (const one of links.values()) one.close();
      links.clear();
    },
  };
  return self;
}

function openLink(build: () => ConnectionPool, logger: DriverLogger): Link {
  let current: { pool: ConnectionPool; broker: DriverBroker } | null = null;
  let connecting: Promise<{ pool: ConnectionPool; broker: DriverBroker }> | null = null;
  let isClosed = false;

  const drop = (pool: ConnectionPool, reason: Error): void => {
    if (current?.pool === pool) current = null;
    for (const connection of pool.pool) {
      connection.rejectRequests(reason);
      connection.requestQueue.destroy();
      connection.socket?.destroy();
    }
  };
  const connect = async (): Promise<{ pool: ConnectionPool; broker: DriverBroker }> => {
    const pool = build();
    for (const { requestQueue } of pool.pool) silenceTimer(requestQueue);
    try {
      const broker = new DriverBroker({ connectionPool: pool, logger, allowAutoTopicCreation: false });
      await broker.connect();
      await pool.getConnection(1);
      if (isClosed) throw closed();
      current = { pool, broker };
      return current;
    } catch (error) {
      drop(pool, error as Error);
      throw error;
    }
  };
  const ready = (): Promise<{ pool: ConnectionPool; broker: DriverBroker }> => {
    if (isClosed) return Promise.reject(closed());
    if (current?.pool.pool.every((connection) => connection.isConnected())) return Promise.resolve(current);
    if (current) drop(current.pool, new Error('connection lost'));
    connecting ??= connect().finally(() => {
      connecting = null;
    });
    return connecting;
  };
  const use = async <Result>(
    ask: (live: { pool: ConnectionPool; broker: DriverBroker }) => Promise<Result>,
  ): Promise<Result> => {
    const live = await ready();
    try {
      return await ask(live);
    } catch (error) {
      // What was sent on a connection that went silent must not be answered later.
      if (error instanceof Error && /Timeout|Connection/.test(error.name)) drop(live.pool, error);
      throw error;
    }
  };
  return {
    call: (ask) => use(({ broker }) => ask(broker)),
    send: (request) => use(({ pool }) => pool.send(request)),
    close() {
      isClosed = true;
      if (current) drop(current.pool, closed());
    },
  };
}

/** kafkajs sets a timer to a moment before 1970 when nothing waits; Node warns of that. */
function silenceTimer(queue: ConnectionPool['pool'][number]['requestQueue']): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}

const tlsOptions = ({ caFile, certFile, keyFile }: TlsOptions): Record<string, unknown> => ({
  ...(caFile ? { ca: readFileSync(caFile) } : {}),
  ...(certFile ? { cert: readFileSync(certFile) } : {}),
  ...(keyFile ? { key: readFileSync(keyFile) } : {}),
});

/** kafkajs calls errors what is a retry here: its words are for those who look closely. */
const driverLogger = (log: Logger): DriverLogger =>
  createLogger({
    level: log.isLevelEnabled('debug') ? LEVELS.INFO : LEVELS.NOTHING,
    logCreator:
      () =>
      ({ namespace, log: { message, broker, error } }) =>
        log.debug({ kafkajs: namespace, broker, error }, message),
  });

/** Runs `task` and turns what it throws into the log's own errors. */
export async function translated<Result>(brokers: Brokers, task: () => Promise<Result>): Promise<Result> {
  try {
    return await task();
  } catch (error) {
    throw kafkaError(error, brokers.names);
  }
}
