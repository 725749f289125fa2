import { z } from 'zod';
import type { LogRecord } from '#kernel';

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

const place = { source: z.string(), schema: z.string(), table: z.string(), ask: z.string() };
const askMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('look'), ...place, columns: z.array(z.string()) }),
  z.object({
    type: z.literal('complete'),
    ...place,
    partition: z.number().int().min(0),
    rows: z.array(
      z.object({
        key: z.record(z.string(), z.string()),
        lsn: z.number(),
        txId: z.number(),
        committedAt: z.number(),
      }),
    ),
  }),
]);
export type SinkAsks = z.infer<typeof askMessage>;

/** What a sink asks of capture; null for every other record. */
export function sinkAsks(record: LogRecord): SinkAsks | null {
  if (record.value === null || !record.value.includes('"ask"')) return null;
  const parsed = askMessage.safeParse(parseJson(record.value));
  return parsed.success ? parsed.data : null;
}
