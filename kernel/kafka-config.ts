import { z } from 'zod';

const flag = z.union([z.boolean(), z.stringbool()]).default(false);
const broker = z.string().regex(/^[A-Za-z0-9._-]+:\d{1,5}$/, 'a broker is host:port');

/** Kafka as the log: its brokers, and how they are reached. */
export const kafkaSchema = z.strictObject({
  /** `host:port` of some brokers, as a list or with commas; set = Kafka is the log, not the embedded one. */
  brokers: z
    .union([
      z.array(z.string()),
      z.string().transform((text) =>
        text
          .split(',')
          .map((one) => one.trim())
          .filter((one) => one !== ''),
      ),
    ])
    .pipe(z.array(broker))
    .default([]),
  /** Names this hub to the brokers; any other than the default goes in front of its groups' names too. */
  clientId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/)
    .default('bac'),
  /** Copies of each partition of new topics; default 3, or as many as there are brokers. */
  replication: z.coerce.number().int().min(1).max(7).optional(),
  /** Copies that must have a record before it counts as stored; default 2 of 3. */
  minInsync: z.coerce.number().int().min(1).max(7).optional(),
  tls: z
    .strictObject({
      enabled: flag,
      /** PEM of the authority to trust; default: the system's. */
      caFile: z.string().optional(),
      certFile: z.string().optional(),
      keyFile: z.string().optional(),
    })
    .prefault({}),
  /** Used when `username` is set. */
  sasl: z
    .strictObject({
      mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).default('scram-sha-512'),
      username: z.string().min(1).optional(),
      password: z.string().min(1).optional(),
    })
    .refine(({ username, password }) => (username === undefined) === (password === undefined), {
      message: 'username and password go together',
    })
    .prefault({}),
});

/** The log is Kafka, not the embedded one. */
export const usesKafka = (log: { readonly kafka: z.infer<typeof kafkaSchema> }): boolean =>
  log.kafka.brokers.length > 0;
