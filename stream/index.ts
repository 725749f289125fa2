export { type EmbeddedLogOptions, openEmbeddedLog } from './embedded/index.ts';
export { type KafkaLogOptions, openKafkaLog } from './kafka/index.ts';
export { kafkaIdentity, openLog, usesKafka } from './open.ts';
