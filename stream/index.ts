export { type EmbeddedLogOptions, openEmbeddedLog } from './embedded/index.ts';
export { type KafkaLogOptions, openKafkaLog } from './kafka/index.ts';
export { kafkaIdentity, openLog } from './open.ts';
