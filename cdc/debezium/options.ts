import { z } from 'zod';
import { nearest, userError } from '#kernel';

const integer = (least: number) =>
  z.union([z.number(), z.string()]).transform(Number).pipe(z.number().int().min(least)).transform(String);
const flag = z.union([z.boolean(), z.enum(['true', 'false'])]).transform(String);
const text = z.string().min(1).max(2000);

/**
 * Connector properties that an operator may set. All others are the hub's: they decide the form of the
 * events (decimal, time, binary, interval handling, converters), the names (topics, slot's publication)
 * or what is captured, and the sink relies on them.
 */
export const overridesSchema = z.strictObject({
  /** `when_needed` and the like are not offered: a silent second snapshot would be a second truth. */
  'snapshot.mode': z.enum(['initial', 'initial_only', 'no_data', 'never']).optional(),
  'snapshot.fetch.size': integer(1).optional(),
  'snapshot.max.threads': integer(1).optional(),
  'snapshot.isolation.mode': z.enum(['serializable', 'repeatable_read', 'read_committed']).optional(),
  'max.batch.size': integer(1).optional(),
  'max.queue.size': integer(1).optional(),
  'max.queue.size.in.bytes': integer(0).optional(),
  'poll.interval.ms': integer(1).optional(),
  'status.update.interval.ms': integer(1).optional(),
  'errors.max.retries': integer(-1).optional(),
  'retriable.restart.connector.wait.ms': integer(0).optional(),
  'slot.max.retries': integer(0).optional(),
  'slot.retry.delay.ms': integer(0).optional(),
  'slot.failover': flag.optional(),
  'heartbeat.interval.ms': integer(0).optional(),
  /** Empty: nothing is written to the source, and its slot only moves with the captured tables. */
  'heartbeat.action.query': z.string().max(2000).optional(),
  'tombstones.on.delete': flag.optional(),
  'provide.transaction.metadata': flag.optional(),
  'topic.creation.default.partitions': integer(1).optional(),
  'topic.creation.default.replication.factor': integer(-1).optional(),
  'database.hostname': text.optional(),
  'database.port': integer(1).optional(),
  /** A reference to one of Connect's config providers, such as `${file:/run/secrets/shop:password}`. */
  'database.password': z
    .string()
    .regex(/^\$\{[A-Za-z0-9_]+:[^}]+\}$/, 'Give a reference to a config provider, as the README shows')
    .optional(),
  'database.sslmode': z
    .enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'])
    .optional(),
  'database.sslcert': text.optional(),
  'database.sslkey': text.optional(),
  'database.sslrootcert': text.optional(),
  'plugin.name': z.enum(['pgoutput', 'yboutput']).optional(),
  'producer.override.compression.type': z.enum(['none', 'gzip', 'snappy', 'lz4', 'zstd']).optional(),
  'producer.override.linger.ms': integer(0).optional(),
  'producer.override.batch.size': integer(0).optional(),
  'producer.override.max.request.size': integer(1).optional(),
});

export type Overrides = z.infer<typeof overridesSchema>;

export const connectUrlSchema = z
  .string()
  .max(2000)
  .refine(
    (url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
    'Give the address of Kafka Connect, like http://connect.example:8083',
  );

/** What `bac.sources.options` holds of a source that Debezium reads. */
export const debeziumOptionsSchema = z.object({
  engine: z.literal('debezium'),
  connectUrl: connectUrlSchema,
  connector: overridesSchema.default({}),
  tables: z.array(z.string()).optional(),
  keepTables: z.boolean().optional(),
});

export type DebeziumOptions = z.infer<typeof debeziumOptionsSchema>;

/** Checks overrides as given by an operator. Errors (user): CONNECTOR_OPTION_UNKNOWN, CONNECTOR_OPTION_INVALID. */
export function parseOverrides(given: unknown): Overrides {
  const parsed = overridesSchema.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const near = nearest(key, Object.keys(overridesSchema.shape));
    throw userError(
      'CONNECTOR_OPTION_UNKNOWN',
      `"${key}" is not a connector property that can be set; the hub sets what the sink relies on.`,
      near ? `Did you mean "${near}"?` : 'cdc/debezium/README.md lists those that can.',
    );
  }
  throw userError(
    'CONNECTOR_OPTION_INVALID',
    `Connector property ${issue.path.join('.')}: ${issue.message}.`,
    'Correct its value.',
  );
}
