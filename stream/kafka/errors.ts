import { HubError, userError } from '#kernel';

/** Codes of Kafka's protocol that are acted on. Source: Kafka documentation, "Protocol error codes". */
export const CODE = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  NO_LEADER: 5,
  NOT_LEADER: 6,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_LOADING: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC: 17,
  RECORD_LIST_TOO_LARGE: 18,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  OUT_OF_ORDER_SEQUENCE: 45,
  DUPLICATE_SEQUENCE: 46,
  INVALID_PRODUCER_EPOCH: 47,
  SASL_AUTHENTICATION_FAILED: 58,
  UNKNOWN_PRODUCER_ID: 59,
  FENCED_INSTANCE_ID: 82,
} as const;

/** The coordinator of a group is being found, loaded or has moved: ask again shortly. */
export const COORDINATOR_MOVES: ReadonlySet<number> = new Set([
  CODE.COORDINATOR_LOADING,
  CODE.COORDINATOR_NOT_AVAILABLE,
  CODE.NOT_COORDINATOR,
]);

const DENIED: ReadonlySet<number> = new Set([
  CODE.TOPIC_AUTHORIZATION_FAILED,
  CODE.GROUP_AUTHORIZATION_FAILED,
  CODE.CLUSTER_AUTHORIZATION_FAILED,
]);

/** An answer of the broker that is an error; `code` as in `CODE`. */
export class ProtocolError extends Error {
  readonly code: number;
  constructor(request: string, code: number) {
    super(`${request} was answered with Kafka error ${code}`);
    this.code = code;
  }
}

/** Kafka's error code of what kafkajs or this adapter threw; null if it is no answer of a broker. */
export function codeOf(error: unknown): number | null {
  if (error instanceof ProtocolError) return error.code;
  if (!(error instanceof Error)) return null;
  const inner = (error as { errors?: readonly unknown[] }).errors?.[0];
  if (inner !== undefined) return codeOf(inner);
  const { name, code } = error as { name: string; code?: unknown };
  return name.startsWith('KafkaJS') && typeof code === 'number' ? code : null;
}

/** What was thrown on the way to the broker, as the log's own error. */
export function kafkaError(error: unknown, brokers: string): HubError {
  if (error instanceof HubError) return error;
  const code = codeOf(error);
  const { name = '', message = String(error) } = error instanceof Error ? error : {};
  if (name === 'KafkaJSSASLAuthenticationError' || code === CODE.SASL_AUTHENTICATION_FAILED)
    return new HubError('LOG_AUTH_FAILED', `Kafka at ${brokers} refused the login: ${message}.`, {
      next: 'Check log.kafka.sasl (BAC_KAFKA_SASL_MECHANISM, _USERNAME, _PASSWORD) against the users of the cluster.',
      disposition: 'transient',
      cause: error,
    });
  if (code !== null && DENIED.has(code))
    return userError(
      'LOG_AUTH_FAILED',
      `Kafka at ${brokers} does not allow this: ${message}.`,
      'Give the user of log.kafka.sasl the rights to create, alter, read and write the topics and groups of this hub.',
      error,
    );
  if (code === null && !isConnectionError(error))
    return new HubError('INTERNAL', `The Kafka client failed: ${message}`, { cause: error });
  return new HubError('LOG_UNREACHABLE', `Kafka at ${brokers} cannot be used: ${message}.`, {
    next: /certificate|SSL|TLS|alert|self-signed/i.test(message)
      ? 'Check log.kafka.tls (caFile, certFile, keyFile) against the certificates of the brokers.'
      : 'Check log.kafka.brokers and that the brokers run; the hub goes on by itself when they answer again.',
    disposition: 'transient',
    cause: error,
  });
}

const isConnectionError = (error: unknown): boolean =>
  error instanceof Error && error.name.startsWith('KafkaJS');

export const closed = (): HubError => new HubError('LOG_CLOSED', 'The log is closed.');

export const unknownTopic = (topic: string): HubError =>
  userError(
    'LOG_TOPIC_UNKNOWN',
    `Topic ${topic} does not exist.`,
    'Create it first. If it was deleted, changes in it that were not stored yet are gone: compare (`bac verify`) and load again (`bac connect resnapshot`).',
  );

export const unknownPartition = (topic: string, partition: number, partitions: number): HubError =>
  userError(
    'LOG_PARTITION_UNKNOWN',
    `Topic ${topic} has partitions 0 to ${partitions - 1}, not ${partition}.`,
    'Name one of them.',
  );
