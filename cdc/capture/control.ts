import { z } from 'zod';
import { CONTROL_TOPIC, type ControlMessage, type LogRecord, type TopicBatch } from '#kernel';

/** One record for the control topic. */
export const controlRecord = (message: ControlMessage): LogRecord => ({
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

const sourceMessage = z.object({ type: z.literal('source'), source: z.string() });

/** Name of the source a control record is about if it asks for attention, else null. */
export function changedSource(record: LogRecord): string | null {
  if (record.value === null || !record.value.includes('"source"')) return null;
  const message = sourceMessage.safeParse(parseJson(record.value));
  return message.success ? message.data.source : null;
}

function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString());
  } catch {
    return null; // not ours: the topic's writers are checked, a foreign record changes nothing
  }
}

const askMessage = z.object({
  type: z.literal('look'),
  source: z.string(),
  schema: z.string(),
  table: z.string(),
  ask: z.string(),
  columns: z.array(z.string()),
});

/** A sink's wish for a look at the catalog; null for every other record. */
export function lookMessage(record: LogRecord): z.infer<typeof askMessage> | null {
  if (record.value === null || !record.value.includes('"look"')) return null;
  const parsed = askMessage.safeParse(parseJson(record.value));
  return parsed.success ? parsed.data : null;
}
