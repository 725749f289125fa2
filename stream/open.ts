import { type ChangeLog, type Config, type Logger, usesKafka } from '#kernel';
import { openEmbeddedLog } from './embedded/index.ts';
import { type KafkaLogOptions, kafkaClusterId, openKafkaLog } from './kafka/index.ts';

export interface LogChoice {
  readonly config: Config['log'];
  /** Folder of the embedded log. */
  readonly dir: string;
  readonly log: Logger;
}

/** The log the configuration names: Kafka if `log.kafka.brokers` is set, else the embedded one in `dir`. */
export const openLog = ({ config, dir, log }: LogChoice): Promise<ChangeLog> =>
  usesKafka(config) ? openKafkaLog(kafkaOptions(config, log)) : openEmbeddedLog({ dir, log });

/**
 * What tells this cluster from any other, from the cluster itself.
 * Errors: LOG_UNREACHABLE, LOG_AUTH_FAILED (transient).
 */
export const kafkaIdentity = async (config: Config['log'], log: Logger): Promise<string> =>
  `kafka:${await kafkaClusterId(kafkaOptions(config, log))}:${config.kafka.clientId}`;

function kafkaOptions({ kafka }: Config['log'], log: Logger): KafkaLogOptions {
  const { enabled, ...files } = kafka.tls;
  const { mechanism, username, password } = kafka.sasl;
  return {
    brokers: kafka.brokers,
    clientId: kafka.clientId,
    replication: kafka.replication,
    minInsync: kafka.minInsync,
    tls: enabled ? files : null,
    sasl: username !== undefined && password !== undefined ? { mechanism, username, password } : null,
    log,
  };
}
