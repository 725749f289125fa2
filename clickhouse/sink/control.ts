import { z } from 'zod';
import type { ControlMessage, Logger } from '#kernel';

const message = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('watermark'),
    source: z.string(),
    lsn: z.number().int().nonnegative(),
    committedAt: z.number().int().nonnegative(),
    ends: z.record(z.string(), z.record(z.string(), z.number().int().nonnegative())),
  }),
  z.object({ type: z.literal('table'), source: z.string(), schema: z.string(), table: z.string() }),
  z.object({ type: z.literal('source'), source: z.string() }),
  z.object({ type: z.literal('apps') }),
  z.object({ type: z.literal('stored'), topics: z.array(z.string()), reshaped: z.literal(true).optional() }),
  z.object({
    type: z.literal('look'),
    source: z.string(),
    schema: z.string(),
    table: z.string(),
    ask: z.string(),
    columns: z.array(z.string()),
  }),
  z.object({
    type: z.literal('complete'),
    source: z.string(),
    schema: z.string(),
    table: z.string(),
    ask: z.string(),
    partition: z.number().int(),
    rows: z.array(z.unknown()),
  }),
  z.object({
    type: z.literal('looked'),
    source: z.string(),
    schema: z.string(),
    table: z.string(),
    ask: z.string(),
    end: z.number().int().nonnegative().optional(),
  }),
]);

/** A message of the control topic; null (and a warning) for anything else. */
export function controlMessage(value: Buffer | null, logger: Logger): ControlMessage | null {
  try {
    return message.parse(JSON.parse(value?.toString('utf8') ?? 'null')) as ControlMessage;
  } catch (error) {
    logger.warn({ error: String(error) }, 'unreadable control message left out');
    return null;
  }
}
