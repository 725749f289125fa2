import { createRequire } from 'node:module';

/**
 * kafkajs' lower layers, by the subset that is used: connections with TLS and SASL, request framing, version
 * negotiation, the coders of the small requests. Its producer and consumer are not used: see README.md.
 */
export interface Encoder {
  readonly buffer: Buffer;
  writeInt8(value: number): Encoder;
  writeInt16(value: number): Encoder;
  writeInt32(value: number): Encoder;
  writeInt64(value: number): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeString(value: string | null): Encoder;
  writeBytes(value: Buffer | null): Encoder;
  writeArray(values: readonly unknown[]): Encoder;
  writeNullableArray(values: readonly unknown[]): Encoder;
}

export interface Decoder {
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  /** A bigint in disguise: `toString()` gives its digits. */
  readInt64(): { toString(): string };
  readBoolean(): boolean;
  readString(): string | null;
  readBytes(): Buffer | null;
  readArray<T>(read: (decoder: Decoder) => T): T[];
}

export interface ProtocolRequest<Response> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<Encoder>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<unknown>;
    parse(decoded: unknown): Promise<Response>;
  };
  readonly requestTimeout?: number;
  readonly logResponseError?: boolean;
}

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}

export interface Connection {
  readonly requestQueue: RequestQueue;
  readonly socket?: { destroy(): void };
  isConnected(): boolean;
  rejectRequests(error: Error): void;
}

export interface ConnectionPool {
  readonly pool: readonly Connection[];
  /** 0 for all but Fetch, whose long polls have connection 1 to themselves. */
  getConnection(index: number): Promise<Connection>;
  send<Response>(request: ProtocolRequest<Response>): Promise<Response>;
}

export interface TopicPartitions<Partition> {
  readonly topic: string;
  readonly partitions: readonly Partition[];
}

export interface ConfigResource {
  readonly type: 2;
  readonly name: string;
}

export interface JoinedGroup {
  readonly generationId: number;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

export interface NodeAddress {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface DriverBroker {
  connect(): Promise<void>;
  findGroupCoordinator(input: { groupId: string }): Promise<{ coordinator: NodeAddress }>;
  joinGroup(input: {
    groupId: string;
    memberId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    protocolType: string;
    groupProtocols: readonly { name: string; metadata: Buffer }[];
  }): Promise<JoinedGroup>;
  syncGroup(input: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer }>;
  heartbeat(input: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(input: { groupId: string; memberId: string }): Promise<unknown>;
  offsetCommit(input: {
    groupId: string;
    groupGenerationId: number;
    memberId: string;
    topics: readonly TopicPartitions<{ partition: number; offset: string }>[];
  }): Promise<unknown>;
  offsetFetch(input: {
    groupId: string;
    /** Empty: all. */
    topics: readonly TopicPartitions<{ partition: number }>[];
  }): Promise<{ responses: readonly TopicPartitions<{ partition: number; offset: string }>[] }>;
  createTopics(input: {
    topics: readonly {
      topic: string;
      numPartitions: number;
      replicationFactor: number;
      configEntries: readonly { name: string; value: string }[];
    }[];
    timeout: number;
  }): Promise<unknown>;
  createPartitions(input: {
    topicPartitions: readonly { topic: string; count: number }[];
    timeout: number;
  }): Promise<unknown>;
  deleteTopics(input: { topics: readonly string[]; timeout: number }): Promise<unknown>;
  describeConfigs(input: { resources: readonly ConfigResource[] }): Promise<{
    resources: readonly {
      resourceName: string;
      configEntries: readonly { configName: string; configValue: string | null; configSource: number }[];
    }[];
  }>;
  alterConfigs(input: {
    resources: readonly (ConfigResource & { configEntries: readonly { name: string; value: string }[] })[];
  }): Promise<unknown>;
  initProducerId(input: { transactionalId: null }): Promise<{ producerId: string; producerEpoch: number }>;
}

export interface DriverLogger {
  namespace(name: string): DriverLogger;
}

export interface DriverLogEntry {
  readonly namespace: string;
  readonly level: number;
  readonly log: Readonly<Record<string, unknown>> & { readonly message: string };
}

export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

export interface PoolOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly ssl: Readonly<Record<string, unknown>> | null;
  readonly sasl: SaslOptions | null;
  readonly socketFactory: unknown;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly logger: DriverLogger;
}

const require = createRequire(import.meta.url);

export const DriverBroker = require('kafkajs/src/broker/index.js') as new (options: {
  connectionPool: ConnectionPool;
  logger: DriverLogger;
  allowAutoTopicCreation: boolean;
}) => DriverBroker;
export const ConnectionPool = require('kafkajs/src/network/connectionPool.js') as new (
  options: PoolOptions,
) => ConnectionPool;
export const Encoder = require('kafkajs/src/protocol/encoder.js') as new (size?: number) => Encoder;
export const Decoder = require('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => Decoder;
export const { MemberMetadata, MemberAssignment } = require('kafkajs/src/consumer/assignerProtocol.js') as {
  MemberMetadata: {
    encode(input: { version: number; topics: readonly string[]; userData: Buffer }): Buffer;
    decode(buffer: Buffer): { userData: Buffer };
  };
  MemberAssignment: {
    encode(input: { version: number; assignment: Readonly<Record<string, readonly number[]>> }): Buffer;
    decode(buffer: Buffer): { assignment: Readonly<Record<string, readonly number[]>> } | null;
  };
};
export const createSocketFactory = require('kafkajs/src/network/socketFactory.js') as () => unknown;
export const { LEVELS, createLogger } = require('kafkajs/src/loggers/index.js') as {
  LEVELS: { readonly NOTHING: 0; readonly ERROR: 1; readonly WARN: 2; readonly INFO: 4; readonly DEBUG: 5 };
  createLogger(options: { level: number; logCreator: () => (entry: DriverLogEntry) => void }): DriverLogger;
};
