export type { Certificates } from './certificates.ts';
export { type KafkaCluster, type KafkaOptions, startKafka } from './cluster.ts';
