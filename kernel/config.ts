import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { userError } from './errors.ts';
import { auditSchema, identitySchema, limitsSchema, proxySchema } from './identity-config.ts';
import { kafkaSchema } from './kafka-config.ts';
import { nearest } from './nearest.ts';
import { sqlSchema } from './sql-config.ts';
import { parseYaml } from './yaml-source.ts';

const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);
const bytes = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const MiB = 1024 * 1024;

/** The whole configuration with its defaults. `bac.yaml` has this shape; keys unknown here are refused. */
export const configSchema = z.strictObject({
  /** Folder for all embedded state: PostgreSQL, the log, ClickHouse, keys. */
  stateDir: z.string().default('.bac'),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** Where the supervisor and the roles write their logs: a rotating file in the state folder, or standard output. */
  logTo: z.enum(['file', 'stdout']).default('file'),
  /** This process among the others of the hub; default: from the host's name. Never given to two at once. */
  instance: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/)
    .optional(),
  /** Longest wait, at the start, for a database of your own that does not answer yet. */
  startTimeoutSeconds: z.coerce.number().min(0).max(3600).default(60),
  http: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port(7400),
      /** Address people open, e.g. `https://hub.example.com`, where something stands in front of the hub. */
      publicUrl: z.url({ protocol: /^https?$/ }).optional(),
      /**
       * Proxies whose X-Forwarded-For and -Proto are believed: addresses, ranges (10.0.0.0/8), or the words
       * loopback, linklocal, uniquelocal. Default: these three where `publicUrl` is set, else none.
       */
      trustedProxies: z.array(proxySchema).max(50).optional(),
    })
    .prefault({}),
  /** Health and figures of a process without the role `api`: `/healthz`, `/readyz`, `/metrics`. */
  health: z.strictObject({ host: z.string().default('127.0.0.1'), port: port(7480) }).prefault({}),
  /** SQL API: cubes and views over PostgreSQL's wire protocol. */
  sql: sqlSchema,
  postgres: z
    .strictObject({
      /** Set to use a PostgreSQL or YugabyteDB of your own for the hub's state and apps. */
      url: z.string().optional(),
      port: port(7432),
    })
    .prefault({}),
  clickhouse: z
    .strictObject({
      /** Set to use a ClickHouse of your own; otherwise the embedded engine is started. Several hosts as a list or comma separated. */
      url: z
        .union([z.string(), z.array(z.string()).min(1)])
        .transform((hosts) => hosts.toString())
        .optional(),
      /** Set if these hosts are a cluster over which tables are spread. */
      cluster: z
        .strictObject({
          /** Name in the servers' `remote_servers`. */
          name: z.string().min(1),
          /** Tables are replicated within their shard (needs Keeper and the macros `shard` and `replica`). */
          replicated: z.boolean().default(true),
          /** Replicas that must have an insert before it counts; absent = one. */
          insertQuorum: z.union([z.literal('auto'), z.coerce.number().int().min(2)]).optional(),
        })
        .optional(),
      port: port(7423),
      user: z.string().default('bac'),
      /** Absent with the embedded engine: one is made and kept in the state folder. */
      password: z.string().optional(),
      /** Queries the embedded engine runs at once. */
      sessions: z.coerce.number().int().min(2).max(64).default(8),
    })
    .prefault({}),
  log: z
    .strictObject({
      partitions: z.coerce.number().int().min(1).max(256).default(1),
      retentionHours: z.coerce.number().positive().default(72),
      retentionBytes: bytes(8 * 1024 * MiB),
      kafka: kafkaSchema.prefault({}),
    })
    .prefault({}),
  /** Kafka Connect, for sources that Debezium reads (`--engine debezium`). */
  connect: z
    .strictObject({
      url: z
        .string()
        .refine(
          (url) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol),
          'give an http(s) address',
        )
        .optional(),
      user: z.string().optional(),
      password: z.string().optional(),
    })
    .prefault({}),
  capture: z
    .strictObject({
      /** Slot lag (bytes of WAL kept at the source) at which status warns and alarms. */
      lagWarnBytes: bytes(1024 * MiB),
      lagAlarmBytes: bytes(8 * 1024 * MiB),
      snapshotWorkers: z.coerce.number().int().min(1).max(32).default(2),
      snapshotChunkRows: z.coerce.number().int().min(1000).default(500_000),
    })
    .prefault({}),
  sink: z
    .strictObject({
      /** Shortest time between two inserts into one table; grows by itself under load. */
      minFlushMs: z.coerce.number().int().min(1).default(20),
      maxBatchBytes: bytes(16 * MiB),
      /** Tables (`source.schema.table`) that also keep every version of every row in `<table>__history`. */
      history: z.array(z.string()).default([]),
    })
    .prefault({}),
  verify: z
    .strictObject({
      /** Hours between two comparisons of a table with its source; 0 = never. Absent: 24 for YugabyteDB, which tells nothing of TRUNCATE, never for PostgreSQL. */
      everyHours: z.coerce.number().min(0).optional(),
      /** Whether what differs is repaired, or only reported. */
      repair: z.boolean().default(true),
    })
    .prefault({}),
  /** The semantic layer: a model of the company's own, and what one question may cost. */
  semantic: z
    .strictObject({
      /** Folder with YAML files of cubes, views and metric tests of your own, over those that come with the product. */
      modelDir: z.string().optional(),
      /** Most rows and bytes (uncompressed) it may read. */
      maxRowsRead: z.coerce.number().int().min(1).default(2_000_000_000),
      maxBytesRead: bytes(1024 * 1024 * MiB),
      /** Longest run of one statement. */
      maxSeconds: z.coerce.number().min(1).max(3600).default(60),
      /** Questions one principal has running at once, and how many more may wait. */
      concurrency: z.coerce.number().int().min(1).max(1000).default(8),
      queue: z.coerce.number().int().min(0).max(10_000).default(200),
      /** Whether the model that sees everything is compiled as soon as every table streams, or at the first question. */
      warm: z.union([z.boolean(), z.stringbool()]).default(true),
    })
    .prefault({}),
  identity: identitySchema,
  limits: limitsSchema,
  audit: auditSchema,
  apps: z
    .strictObject({
      /** Login of the records engine (member of bac_app and bac_app_effects), where the hub may make none itself. */
      url: z.string().optional(),
      /** Webhooks may go to loopback and private networks. */
      webhooksToPrivate: z.union([z.boolean(), z.stringbool()]).default(false),
      /** Days that notifications which were read, or are for a role, are kept. */
      keepNotificationsDays: z.coerce.number().min(1).max(3660).default(90),
      /** Days that webhooks which were sent, or given up, and runs of automations (at least 9) are listed. */
      keepDeliveriesDays: z.coerce.number().min(1).max(3660).default(30),
    })
    .prefault({}),
  demo: z
    .strictObject({
      enabled: z.union([z.boolean(), z.stringbool()]).default(true),
      seed: z.coerce.number().int().default(42),
      orders: z.coerce.number().int().min(100).default(100_000),
      /** Business transactions a second of the simulator. */
      rate: z.coerce.number().min(0).max(10_000).default(5),
    })
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;

/** `BAC_*` variables and the key each one sets. */
export const ENVIRONMENT: Readonly<Record<string, readonly [string, ...string[]]>> = {
  BAC_STATE_DIR: ['stateDir'],
  BAC_LOG_LEVEL: ['logLevel'],
  BAC_HTTP_HOST: ['http', 'host'],
  BAC_HTTP_PORT: ['http', 'port'],
  BAC_HTTP_PUBLIC_URL: ['http', 'publicUrl'],
  BAC_AUDIT_KEEP_DAYS: ['audit', 'keepDays'],
  BAC_APPS_KEEP_NOTIFICATIONS_DAYS: ['apps', 'keepNotificationsDays'],
  BAC_APPS_KEEP_DELIVERIES_DAYS: ['apps', 'keepDeliveriesDays'],
  BAC_HEALTH_HOST: ['health', 'host'],
  BAC_HEALTH_PORT: ['health', 'port'],
  BAC_LOG_TO: ['logTo'],
  BAC_INSTANCE: ['instance'],
  BAC_START_TIMEOUT: ['startTimeoutSeconds'],
  BAC_POSTGRES_URL: ['postgres', 'url'],
  BAC_POSTGRES_PORT: ['postgres', 'port'],
  BAC_SQL_HOST: ['sql', 'host'],
  BAC_SQL_PORT: ['sql', 'port'],
  BAC_SQL_TLS_CERT_FILE: ['sql', 'tls', 'certFile'],
  BAC_SQL_TLS_KEY_FILE: ['sql', 'tls', 'keyFile'],
  BAC_CLICKHOUSE_URL: ['clickhouse', 'url'],
  BAC_CLICKHOUSE_CLUSTER: ['clickhouse', 'cluster', 'name'],
  BAC_CLICKHOUSE_PORT: ['clickhouse', 'port'],
  BAC_CLICKHOUSE_USER: ['clickhouse', 'user'],
  BAC_CLICKHOUSE_PASSWORD: ['clickhouse', 'password'],
  BAC_APPS_URL: ['apps', 'url'],
  BAC_APPS_WEBHOOKS_TO_PRIVATE: ['apps', 'webhooksToPrivate'],
  BAC_SEMANTIC_MODEL_DIR: ['semantic', 'modelDir'],
  BAC_SEMANTIC_WARM: ['semantic', 'warm'],
  BAC_DEMO: ['demo', 'enabled'],
  BAC_LOG_PARTITIONS: ['log', 'partitions'],
  BAC_KAFKA_BROKERS: ['log', 'kafka', 'brokers'],
  BAC_KAFKA_CLIENT_ID: ['log', 'kafka', 'clientId'],
  BAC_KAFKA_REPLICATION: ['log', 'kafka', 'replication'],
  BAC_KAFKA_MIN_INSYNC: ['log', 'kafka', 'minInsync'],
  BAC_KAFKA_TLS: ['log', 'kafka', 'tls', 'enabled'],
  BAC_KAFKA_TLS_CA_FILE: ['log', 'kafka', 'tls', 'caFile'],
  BAC_KAFKA_TLS_CERT_FILE: ['log', 'kafka', 'tls', 'certFile'],
  BAC_KAFKA_TLS_KEY_FILE: ['log', 'kafka', 'tls', 'keyFile'],
  BAC_KAFKA_SASL_MECHANISM: ['log', 'kafka', 'sasl', 'mechanism'],
  BAC_KAFKA_SASL_USERNAME: ['log', 'kafka', 'sasl', 'username'],
  BAC_KAFKA_SASL_PASSWORD: ['log', 'kafka', 'sasl', 'password'],
  BAC_CONNECT_URL: ['connect', 'url'],
  BAC_CONNECT_USER: ['connect', 'user'],
  BAC_CONNECT_PASSWORD: ['connect', 'password'],
  BAC_DEMO_ORDERS: ['demo', 'orders'],
  BAC_DEMO_RATE: ['demo', 'rate'],
  BAC_DEMO_SEED: ['demo', 'seed'],
};

/** `BAC_*` variables that are read outside the configuration. */
const OTHER_VARIABLES = new Set([
  'BAC_URL',
  'BAC_KEY',
  'BAC_CONFIG',
  'BAC_NODE',
  'BAC_OWNER_KEY',
  'BAC_OWNER_KEY_FILE',
  'BAC_METRICS_KEY',
  'BAC_METRICS_KEY_FILE',
]);

export interface LoadOptions {
  /** Default: BAC_CONFIG, then `bac.yaml` in `cwd` if it is there. */
  readonly file?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Top-level sections whose port somebody chose; the others may move to a free port when theirs is taken. */
export type ChosenPorts = ReadonlySet<'http' | 'sql' | 'health' | 'postgres' | 'clickhouse'>;

/** The configuration and which ports in it were chosen rather than defaulted. See `loadConfig`. */
export function loadConfigWithOrigin(options: LoadOptions = {}): { config: Config; chosen: ChosenPorts } {
  const { config, given } = load(options);
  const sections = ['http', 'sql', 'health', 'postgres', 'clickhouse'] as const;
  const isSet = (section: string): boolean =>
    typeof given[section] === 'object' && given[section] !== null && 'port' in given[section];
  return { config, chosen: new Set(sections.filter(isSet)) };
}

/**
 * bac.yaml, overridden by BAC_* variables, checked and completed with defaults. Relative paths are
 * resolved against `cwd`. Throws CONFIG_INVALID (user) naming file, line and the nearest valid key.
 */
export const loadConfig = (options: LoadOptions = {}): Config => load(options).config;

function load(options: LoadOptions): { config: Config; given: Record<string, unknown> } {
  const cwd = options.cwd ?? process.cwd();
  const env = options.env ?? process.env;
  const named = options.file ?? env.BAC_CONFIG;
  const file = resolve(cwd, named ?? 'bac.yaml');
  if (named !== undefined && !existsSync(file)) {
    throw userError(
      'CONFIG_MISSING',
      `Configuration file ${file} does not exist.`,
      'Create it or leave the option out.',
    );
  }
  const { value, line } = existsSync(file) ? readYaml(file) : { value: {}, line: () => null };
  const merged = structuredClone(value) as Record<string, unknown>;
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('BAC_') || text === undefined) continue;
    const path = ENVIRONMENT[name];
    if (path) assign(merged, path, text);
    else if (!OTHER_VARIABLES.has(name)) {
      throw userError(
        'CONFIG_INVALID',
        `${name} is not a variable the hub knows.`,
        suggest(name, Object.keys(ENVIRONMENT)),
      );
    }
  }
  const parsed = configSchema.safeParse(merged);
  if (!parsed.success) throw describe(parsed.error, file, line);
  const { stateDir, semantic } = parsed.data;
  const folders = {
    stateDir: resolve(cwd, stateDir),
    semantic: {
      ...semantic,
      ...(semantic.modelDir === undefined ? {} : { modelDir: resolve(cwd, semantic.modelDir) }),
    },
  };
  return { config: { ...parsed.data, ...folders }, given: merged };
}

/** The effective configuration for people: secrets replaced by `[secret]`. */
export function publicConfig(config: Config): Config {
  const hide = (url: string | undefined): string | undefined =>
    url === undefined ? undefined : url.replace(/\/\/([^:@/]*):[^@/]*@/g, '//$1:[secret]@');
  return {
    ...config,
    postgres: { ...config.postgres, url: hide(config.postgres.url) },
    clickhouse: {
      ...config.clickhouse,
      url: hide(config.clickhouse.url),
      ...(config.clickhouse.password === undefined ? {} : { password: '[secret]' }),
    },
    log: {
      ...config.log,
      kafka: {
        ...config.log.kafka,
        sasl: {
          ...config.log.kafka.sasl,
          ...(config.log.kafka.sasl.password === undefined ? {} : { password: '[secret]' }),
        },
      },
    },
    identity: {
      ...config.identity,
      issuers: config.identity.issuers.map((issuer) => ({
        ...issuer,
        ...(issuer.login?.clientSecret === undefined
          ? {}
          : { login: { ...issuer.login, clientSecret: '[secret]' } }),
      })),
    },
    apps: { ...config.apps, url: hide(config.apps.url) },
    connect: {
      ...config.connect,
      url: hide(config.connect.url),
      ...(config.connect.password === undefined ? {} : { password: '[secret]' }),
    },
  };
}

type Line = (path: readonly PropertyKey[]) => number | null;

function readYaml(file: string): { value: unknown; line: Line } {
  const source = parseYaml(file, readFileSync(file, 'utf8'));
  const [problem] = source.problems;
  if (problem)
    throw userError('CONFIG_INVALID', `${file}:${problem.line}: ${problem.message}`, 'Mend the YAML.');
  const value = source.value ?? {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw userError(
      'CONFIG_INVALID',
      `${file}: its content is no set of keys and values.`,
      'Write keys such as "http:" with what belongs to them below; `bac config` shows all.',
    );
  // What comes from the environment alone has no line.
  const line: Line = (path) =>
    path[0] !== undefined && Object.hasOwn(value, path[0]) ? source.problem(path, '', 'key').line : null;
  return { value, line };
}

function assign(target: Record<string, unknown>, path: readonly string[], value: string): void {
  let at = target;
  for (const key of path.slice(0, -1)) {
    if (typeof at[key] !== 'object' || at[key] === null) at[key] = {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
}

function describe(error: z.ZodError, file: string, line: Line): Error {
  const issue = error.issues[0]!;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!;
    const at = line([...issue.path, key]);
    const where = `${file}${at === null ? '' : `:${at}`}`;
    return userError(
      'CONFIG_INVALID',
      `${where}: unknown key "${[...issue.path, key].join('.')}".`,
      suggest(key, keysAt(issue.path)),
    );
  }
  const at = line(issue.path);
  const where = `${file}${at === null ? '' : `:${at}`}`;
  return userError(
    'CONFIG_INVALID',
    `${where}: ${issue.path.join('.')}: ${issue.message}.`,
    'Mend the value; `bac config` shows all keys.',
  );
}

function keysAt(path: readonly PropertyKey[]): string[] {
  let at: unknown = configSchema.parse({});
  for (const key of path) at = (at as Record<PropertyKey, unknown>)?.[key];
  return Object.keys((at as object | undefined) ?? {});
}

function suggest(wrong: string, known: readonly string[]): string {
  const near = nearest(wrong, known);
  return near ? `Did you mean "${near}"?` : `Known here: ${known.join(', ')}.`;
}
