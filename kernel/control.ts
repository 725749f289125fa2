import { CONTROL_TOPIC, type ControlMessage } from './change-event.ts';
import type { LogRecord, TopicBatch } from './ports/change-log.ts';

/** One record for the control topic. */
const controlRecord = (message: ControlMessage): LogRecord => ({
  key: null,
  value: Buffer.from(JSON.stringify(message)),
});

export const controlBatch = (...messages: ControlMessage[]): TopicBatch => ({
  topic: CONTROL_TOPIC,
  partition: 0,
  records: messages.map(controlRecord),
});

/** Progress is told anew all the time, so little of it has to be kept. */
export const CONTROL_TOPIC_CONFIG = {
  partitions: 1,
  retentionMs: 24 * 3_600_000,
  retentionBytes: 64 * 1024 * 1024,
} as const;
