export { type KafkaLogOptions, kafkaClusterId, openKafkaLog } from './log.ts';
