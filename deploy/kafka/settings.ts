import type { Certificates } from './certificates.ts';

export interface BrokerPorts {
  readonly client: number;
  readonly internal: number;
  readonly controller: number;
}

export interface BrokerSettings {
  readonly id: number;
  readonly dir: string;
  readonly ports: readonly BrokerPorts[];
  readonly sasl: { readonly username: string; readonly password: string } | null;
  readonly certificates: Certificates | null;
  readonly extra: Readonly<Record<string, string>>;
}

const SASL_MODULES = {
  plain: 'org.apache.kafka.common.security.plain.PlainLoginModule required user_USER="PASSWORD";',
  'scram-sha-256': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'scram-sha-512': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
};

/**
 * A broker that is its own controller. Three listeners: CLIENT as secure as asked, INTERNAL (other brokers,
 * Connect, the harness) and CONTROLLER open, all on loopback. Small and quick to notice, as tests want it.
 */
export function brokerSettings({ id, dir, ports, sasl, certificates, extra }: BrokerSettings): string {
  const own = ports[id - 1]!;
  const many = ports.length > 1;
  const replicas = String(many ? 3 : 1);
  const inSync = String(many ? 2 : 1);
  const protocol = `${sasl ? 'SASL_' : ''}${certificates ? 'SSL' : 'PLAINTEXT'}`;
  const address = (name: string, port: number): string => `${name}://127.0.0.1:${port}`;
  const clients = [address('CLIENT', own.client), address('INTERNAL', own.internal)].join(',');
  return properties({
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': ports.map((p, i) => `${i + 1}@127.0.0.1:${p.controller}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    listeners: `${clients},${address('CONTROLLER', own.controller)}`,
    'advertised.listeners': clients,
    'listener.security.protocol.map': `CLIENT:${protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'log.dirs': `${dir}/data`,
    'auto.create.topics.enable': 'false',
    'num.partitions': '1',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'replica.lag.time.max.ms': '4000',
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'controller.quorum.election.timeout.ms': '1000',
    'controller.quorum.fetch.timeout.ms': '2000',
    'log.retention.check.interval.ms': '1000',
    'log.cleaner.dedupe.buffer.size': '2097152',
    'log.cleaner.threads': '1',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'num.recovery.threads.per.data.dir': '2',
    ...(sasl ? saslSettings(sasl) : {}),
    ...(certificates
      ? {
          'listener.name.client.ssl.keystore.type': 'PEM',
          'listener.name.client.ssl.keystore.location': certificates.keystore,
          'listener.name.client.ssl.truststore.type': 'PEM',
          'listener.name.client.ssl.truststore.location': certificates.truststore,
          'listener.name.client.ssl.client.auth': sasl ? 'none' : 'required',
        }
      : {}),
    ...extra,
  });
}

function saslSettings(user: { username: string; password: string }): Record<string, string> {
  const modules = Object.entries(SASL_MODULES).map(([mechanism, module]) => [
    `listener.name.client.${mechanism}.sasl.jaas.config`,
    module.replace('USER', user.username).replace('PASSWORD', user.password),
  ]);
  return {
    'listener.name.client.sasl.enabled.mechanisms': Object.keys(SASL_MODULES)
      .map((mechanism) => mechanism.toUpperCase())
      .join(','),
    ...Object.fromEntries(modules),
  };
}

/** A distributed Connect worker: what it is told by REST survives its restart, in topics of the broker. */
export function connectSettings(options: {
  readonly bootstrap: readonly string[];
  readonly port: number;
  readonly plugins: string;
  readonly replication: number;
}): string {
  const topics = Object.fromEntries(
    ['config', 'offset', 'status'].flatMap((kind) => [
      [`${kind}.storage.topic`, `connect-${kind}`],
      [`${kind}.storage.replication.factor`, String(options.replication)],
    ]),
  );
  return properties({
    'bootstrap.servers': options.bootstrap.join(','),
    'group.id': 'connect',
    listeners: `http://127.0.0.1:${options.port}`,
    'rest.advertised.host.name': '127.0.0.1',
    'rest.advertised.port': String(options.port),
    'plugin.path': options.plugins,
    'plugin.discovery': 'service_load',
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'false',
    'value.converter.schemas.enable': 'false',
    'connector.client.config.override.policy': 'All',
    'offset.storage.partitions': '1',
    'status.storage.partitions': '1',
    'offset.flush.interval.ms': '1000',
    'scheduled.rebalance.max.delay.ms': '0',
    'session.timeout.ms': '6000',
    'heartbeat.interval.ms': '1000',
    ...topics,
  });
}

const properties = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
