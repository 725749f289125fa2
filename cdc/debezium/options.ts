import { z } from 'zod';
import { nearest, userError } from '#kernel';

const integer = (least: number) =>
  z
    .union([z.number(), z.string().regex(/^-?\d+$/)])
    .transform(Number)
    .pipe(z.number().int().min(least))
    .transform(String);
const text = z.string().min(1).max(2000);

/**
 * Connector properties that an operator may set. All others are the hub's: they decide the form of the
 * events, the names of topics, slot and publication, or what is captured, and the sink relies on them.
 */
export const overridesSchema = z.strictObject({
  'snapshot.fetch.size': integer(1).optional(),
  'snapshot.max.threads': integer(1).optional(),
  'max.batch.size': integer(1).optional(),
  'max.queue.size': integer(1).optional(),
  'max.queue.size.in.bytes': integer(0).optional(),
  'poll.interval.ms': integer(1).optional(),
  'status.update.interval.ms': integer(1).optional(),
  'heartbeat.interval.ms': integer(1).optional(),
  'errors.max.retries': integer(-1).optional(),
  'slot.max.retries': integer(0).optional(),
  'slot.retry.delay.ms': integer(0).optional(),
  /** Where Connect reaches the database, if it is another network than the hub's. */
  'database.hostname': text.optional(),
  'database.port': integer(1).optional(),
  /** A reference to one of Connect's config providers: then no password is sent to Connect. */
  'database.password': z
    .string()
    .regex(
      /^\$\{[A-Za-z0-9_-]+:[^}]+\}$/,
      'name a config provider of Connect and its key, as docs/debezium.md shows',
    )
    .optional(),
  'database.sslmode': z
    .enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
    .optional(),
  'database.sslcert': text.optional(),
  'database.sslkey': text.optional(),
  'database.sslrootcert': text.optional(),
  'topic.creation.default.replication.factor': integer(-1).optional(),
  'producer.override.compression.type': z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).optional(),
  'producer.override.linger.ms': integer(0).optional(),
  'producer.override.batch.size': integer(0).optional(),
  'producer.override.max.request.size': integer(1).optional(),
});

export type Overrides = z.infer<typeof overridesSchema>;

/** What `bac.sources.options.debezium` holds. */
export const debeziumSchema = z.strictObject({
  /** Who lays down the rows that are there: the hub (in parallel, resumable), or Debezium through the log. */
  snapshot: z.enum(['hub', 'debezium']).default('hub'),
  connector: overridesSchema.default({}),
});

export type DebeziumOptions = z.infer<typeof debeziumSchema>;

/** Checks what an operator gave. Errors (user): CONNECTOR_OPTION_UNKNOWN, CONNECTOR_OPTION_INVALID. */
export function parseDebeziumOptions(asked: unknown): DebeziumOptions {
  const parsed = debeziumSchema.safeParse(asked ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const near = nearest(key, Object.keys(overridesSchema.shape));
    throw userError(
      'CONNECTOR_OPTION_UNKNOWN',
      `"${key}" is no connector property that can be set; the hub sets those that the sink relies on.`,
      near ? `Did you mean "${near}"?` : 'docs/debezium.md lists those that can.',
    );
  }
  throw userError(
    'CONNECTOR_OPTION_INVALID',
    `Connector property ${issue.path.at(-1)?.toString()}: ${issue.message}.`,
    'Correct its value.',
  );
}
