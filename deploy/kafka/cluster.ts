import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import { freePort, type Logger } from '#kernel';
import { type Certificates, makeCertificates } from './certificates.ts';
import { kafkaJars } from './jars.ts';
import { type JavaProcess, runJava, startFailed, startJava } from './java.ts';
import { type BrokerPorts, brokerSettings, connectSettings } from './settings.ts';

export interface KafkaOptions {
  /** Folder for data and settings; made if absent. What a former run left there is used again. */
  readonly dir: string;
  /** 3 = replication 3, two in sync needed to acknowledge. */
  readonly brokers: 1 | 3;
  /** Also Kafka Connect with Debezium's PostgreSQL connector. */
  readonly connect?: boolean;
  /** Clients authenticate as this user, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
  readonly sasl?: { readonly username: string; readonly password: string };
  /** Clients connect by TLS and, without SASL, show a certificate. */
  readonly tls?: boolean;
  /** First of the clients' ports, and Connect's; absent = any free ones. */
  readonly ports?: { readonly client: number; readonly connect: number };
  /** Broker settings on top of the harness's own. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Full compilation and larger heaps, for measuring. */
  readonly throughput?: boolean;
  readonly log: Logger;
}

export interface KafkaCluster {
  /** `host:port` for clients. */
  readonly bootstrap: readonly string[];
  readonly connectUrl: string | null;
  /** With `tls`: PEM files for clients. */
  readonly certificates: Certificates | null;
  /** Process ids that run now, for measuring. */
  pids(): { readonly brokers: readonly number[]; readonly connect: number | null };
  /** SIGKILL; broker ids begin at 1. */
  kill(brokerId: number): Promise<void>;
  /** Kills the broker if it runs, starts it on the same data and ports, resolves when it serves. */
  restart(brokerId: number): Promise<void>;
  killConnect(): Promise<void>;
  restartConnect(): Promise<void>;
  stop(): Promise<void>;
}

const READY_MS = 90_000;

/**
 * Starts brokers (KRaft, each its own controller) and Connect, resolves when they serve. They die with this process.
 * Errors: JAVA_MISSING, MAVEN_MISSING, KAFKA_FETCH_FAILED (user), KAFKA_START_FAILED.
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const jars = await kafkaJars(options.log);
  mkdirSync(options.dir, { recursive: true });
  const certificates = options.tls ? await makeCertificates(options.dir) : null;
  const ports: BrokerPorts[] = [];
  for (let index = 0; index < options.brokers; index++)
    ports.push({
      client: options.ports ? options.ports.client + index : await freePort(),
      internal: await freePort(),
      controller: await freePort(),
    });
  const internal = ports.map((p) => `127.0.0.1:${p.internal}`);
  const connectPort = options.connect ? (options.ports?.connect ?? (await freePort())) : null;
  const connectUrl = connectPort === null ? null : `http://127.0.0.1:${connectPort}`;
  const running = new Map<number | 'connect', JavaProcess>();
  const java = { classPath: jars.broker, quickStart: !options.throughput, log: options.log };

  const prepare = async (id: number): Promise<void> => {
    const dir = join(options.dir, `broker-${id}`);
    const file = join(dir, 'server.properties');
    mkdirSync(dir, { recursive: true });
    const sasl = options.sasl ?? null;
    const extra = options.settings ?? {};
    writeFileSync(file, brokerSettings({ id, dir, ports, sasl, certificates, extra }), { mode: 0o600 });
    if (existsSync(join(dir, 'data', 'meta.properties'))) return;
    const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) =>
      sasl ? ['--add-scram', `${mechanism}=[name=${sasl.username},password=${sasl.password}]`] : [],
    );
    const args = ['format', '--cluster-id', clusterId(options.dir), '--config', file, ...users];
    const mainClass = 'kafka.tools.StorageTool';
    await runJava({ ...java, name: `storage of broker ${id}`, mainClass, args, heapMb: 128, cwd: dir });
  };
  const launch = (id: number): void => {
    const cwd = join(options.dir, `broker-${id}`);
    const args = [join(cwd, 'server.properties')];
    const heapMb = options.throughput ? 1024 : 320;
    running.set(
      id,
      startJava({ ...java, name: `broker ${id}`, mainClass: 'kafka.Kafka', args, heapMb, cwd }),
    );
  };
  const launchConnect = (): void => {
    const file = join(options.dir, 'connect.properties');
    const { plugins } = jars;
    const replication = options.brokers === 1 ? 1 : 3;
    writeFileSync(file, connectSettings({ bootstrap: internal, port: connectPort!, plugins, replication }));
    const mainClass = 'org.apache.kafka.connect.cli.ConnectDistributed';
    const heapMb = options.throughput ? 1536 : 384;
    running.set(
      'connect',
      startJava({ ...java, name: 'connect', mainClass, args: [file], heapMb, cwd: options.dir }),
    );
  };
  const kill = async (id: number | 'connect'): Promise<void> => {
    await running.get(id)?.kill();
    running.delete(id);
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...running.keys()].map(kill));
  };
  const ids = ports.map((_, index) => index + 1);
  try {
    await Promise.all(ids.map(prepare));
    for (const id of ids) launch(id);
    for (const id of ids) await brokerServes(running.get(id)!, id, internal[id - 1]!);
    if (connectUrl) {
      launchConnect();
      await connectServes(running.get('connect')!, connectUrl);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    bootstrap: ports.map((p) => `127.0.0.1:${p.client}`),
    connectUrl,
    certificates,
    pids: () => ({
      brokers: ids.flatMap((id) => running.get(id)?.pid ?? []),
      connect: running.get('connect')?.pid ?? null,
    }),
    kill,
    async restart(id) {
      await kill(id);
      launch(id);
      await brokerServes(running.get(id)!, id, internal[id - 1]!);
    },
    killConnect: () => kill('connect'),
    async restartConnect() {
      if (!connectUrl) throw new Error('this cluster was started without Connect');
      await kill('connect');
      launchConnect();
      await connectServes(running.get('connect')!, connectUrl);
    },
    stop,
  };
}

/** Kafka's form of a UUID, the same for all brokers of a folder. */
function clusterId(dir: string): string {
  const bytes = createHash('sha256').update(dir).digest().subarray(0, 16);
  bytes[0] = 0; // a leading dash would look like an option
  return bytes.toString('base64url');
}

/** Asks the broker itself, on its own listener, until it is one of its cluster's live brokers. */
async function brokerServes(broker: JavaProcess, id: number, address: string): Promise<void> {
  const client = new Kafka({
    brokers: [address],
    clientId: 'harness',
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2000,
    requestTimeout: 3000,
    retry: { retries: 0 },
  });
  await untilServes(`broker ${id}`, broker, async () => {
    const admin = client.admin();
    try {
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      return brokers.some((member) => member.nodeId === id);
    } finally {
      await admin.disconnect();
    }
  });
}

async function connectServes(worker: JavaProcess, url: string): Promise<void> {
  await untilServes('Kafka Connect', worker, async () => {
    // Listing connectors needs the worker's group and its stored configuration, not only the port.
    const answer = await fetch(`${url}/connectors`, { signal: AbortSignal.timeout(5000) });
    await answer.arrayBuffer();
    return answer.ok;
  });
}

async function untilServes(name: string, server: JavaProcess, asks: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + READY_MS;
  let ended: string | null = null;
  void server.exited.then(({ said }) => {
    ended = said;
  });
  let last: unknown = null;
  for (;;) {
    if (ended !== null) throw startFailed(name, ended);
    try {
      if (await asks()) return;
    } catch (error) {
      last = error;
    }
    if (performance.now() > until) throw startFailed(name, `no answer in ${READY_MS} ms (${String(last)})`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
