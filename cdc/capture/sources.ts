import type { Pool } from 'pg';
import {
  assertName,
  type ChangeLog,
  CONTROL_TOPIC,
  CONTROL_TOPIC_CONFIG,
  type Config,
  controlBatch,
  nearest,
  userError,
} from '#kernel';
import { connectSource, introspectTables, preflight, type SourceKind, withPorts } from '../catalog/index.ts';
import {
  checkConnector,
  connectClientOf,
  type DebeziumOptions,
  parseDebeziumOptions,
} from '../debezium/index.ts';
import { sourceNames } from './source-rows.ts';
import type { EngineName, SourceOptions, SourceRow, VerifyOption } from './types.ts';

export interface NewSource {
  /** Also the warehouse database's name. */
  readonly name: string;
  readonly kind: SourceKind;
  /** Connection string, secret included; several hosts of one cluster separated by commas. */
  readonly url: string;
  /** `table`, `schema.table` or `schema.*`; absent = all tables, also those made later. */
  readonly tables?: readonly string[];
  /** Default: native. */
  readonly engine?: EngineName | undefined;
  /** For engine debezium: who lays down the rows that are there, and connector properties. */
  readonly debezium?: { readonly snapshot?: string; readonly connector?: Readonly<Record<string, unknown>> };
}

/** What a source that Debezium reads needs of the hub's set-up. */
export interface EngineSetup {
  readonly connect?: Config['connect'];
  /** Debezium writes to Kafka: the hub's log has to be that. */
  readonly log: 'embedded' | 'kafka';
}

/**
 * Checks and registers a source; capture begins at once. Nothing is changed at the source here.
 * Errors (user): NAME_INVALID, SOURCE_EXISTS, SOURCE_URL_INVALID, SOURCE_UNREACHABLE,
 * SOURCE_AUTH_FAILED, SOURCE_DATABASE_MISSING, SOURCE_WAL_LEVEL, SOURCE_NO_REPLICATION_RIGHT,
 * TABLE_NOT_FOUND with the nearest name; for engine debezium also CONNECT_NOT_CONFIGURED, LOG_NOT_KAFKA,
 * CONNECT_UNREACHABLE (transient), CONNECTOR_MISSING, CONNECTOR_INVALID, CONNECTOR_OPTION_UNKNOWN and _INVALID.
 */
export async function addSource(
  pool: Pool,
  log: ChangeLog,
  asked: NewSource,
  setup: EngineSetup = { log: 'embedded' },
): Promise<void> {
  const source = { ...asked, url: withPorts(asked.url, asked.kind) };
  assertName('Source', source.name);
  if (source.name === 'bac' || source.name === 'system' || source.name === 'default') {
    throw userError(
      'NAME_INVALID',
      `"${source.name}" is a name the hub keeps for itself.`,
      'Choose another.',
    );
  }
  const { rowCount } = await pool.query('SELECT 1 FROM bac.sources WHERE name = $1', [source.name]);
  if (rowCount) throw exists(source.name);
  const { kind } = source;
  await preflight(source.url, kind);
  const tables = source.tables?.map((name) => (name.includes('.') ? name : `public.${name}`));
  if (tables) await assertTables(source, tables);
  const debezium = source.engine === 'debezium' ? await assertConnector(source, setup) : undefined;
  const inserted = await pool.query(
    `INSERT INTO bac.sources (name, kind, url, options) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    [
      source.name,
      kind,
      source.url,
      JSON.stringify({ tables, ...(debezium ? { engine: 'debezium', debezium } : {}) }),
    ],
  );
  if (inserted.rowCount === 0) throw exists(source.name);
  await tell(log, source.name);
}

/** Stops reading; the slot stays and keeps WAL at the source. Errors: SOURCE_NOT_FOUND (user). */
export const pauseSource = (pool: Pool, log: ChangeLog, name: string): Promise<void> =>
  want(pool, log, name, 'paused');

/** Goes on where it was paused. Errors: SOURCE_NOT_FOUND (user). */
export const resumeSource = (pool: Pool, log: ChangeLog, name: string): Promise<void> =>
  want(pool, log, name, 'running');

/**
 * Drops slot, publication, topics and, unless told otherwise, warehouse tables of the source.
 * Errors: SOURCE_NOT_FOUND (user).
 */
export const removeSource = (
  pool: Pool,
  log: ChangeLog,
  name: string,
  { dropTables = true }: { readonly dropTables?: boolean } = {},
): Promise<void> => want(pool, log, name, 'removing', dropTables ? {} : { keepTables: true });

/** Reads tables (all if not named) anew from the source. Errors: SOURCE_NOT_FOUND, TABLE_NOT_FOUND (user). */
export async function resnapshotSource(
  pool: Pool,
  log: ChangeLog,
  name: string,
  tables?: readonly string[],
): Promise<void> {
  await assertSource(pool, name);
  const wanted = tables?.map((table) => (table.includes('.') ? table : `public.${table}`)) ?? ['*'];
  if (tables) {
    const { rows } = await pool.query<{ name: string }>(
      "SELECT schema_name || '.' || table_name AS name FROM bac.tables WHERE source = $1",
      [name],
    );
    const known = rows.map((row) => row.name);
    for (const table of wanted) {
      if (!known.includes(table)) throw tableMissing(name, table, known);
    }
  }
  await pool.query(
    `UPDATE bac.sources SET options = options || jsonb_build_object('resnapshot',
       coalesce(options->'resnapshot', '[]'::jsonb) || $2::jsonb) WHERE name = $1`,
    [name, JSON.stringify(wanted)],
  );
  await tell(log, name);
}

/**
 * How often the source's tables are compared with it by themselves (hours, 0 = never) and whether what
 * differs is repaired; null = as configured. Errors: SOURCE_NOT_FOUND (user).
 */
export async function scheduleSource(pool: Pool, name: string, verify: VerifyOption | null): Promise<void> {
  await assertSource(pool, name);
  await pool.query(
    `UPDATE bac.sources SET options = CASE WHEN $2::jsonb IS NULL THEN options - 'verify'
       ELSE options || jsonb_build_object('verify', $2::jsonb) END WHERE name = $1`,
    [name, verify === null ? null : JSON.stringify(verify)],
  );
}

/**
 * Has the source capture these tables too (`schema.table` or `schema.*`), whether they are there yet or
 * not; one that captures everything already is left as it is. Idempotent. Resolves to whether anything
 * was added. Errors: SOURCE_NOT_FOUND (user).
 */
export async function captureAlso(
  pool: Pool,
  log: ChangeLog,
  name: string,
  patterns: readonly string[],
): Promise<boolean> {
  await assertSource(pool, name);
  const { rowCount } = await pool.query(
    `UPDATE bac.sources SET options = options || jsonb_build_object('tables', options->'tables' || (
       SELECT jsonb_agg(to_jsonb(pattern)) FROM unnest($2::text[]) AS pattern
       WHERE NOT options->'tables' @> to_jsonb(pattern)))
     WHERE name = $1 AND options->'tables' IS NOT NULL AND NOT options->'tables' @> to_jsonb($2::text[])`,
    [name, patterns],
  );
  if (rowCount === 0) return false;
  await tell(log, name);
  return true;
}

async function want(
  pool: Pool,
  log: ChangeLog,
  name: string,
  desired: SourceRow['desired'],
  options: SourceOptions = {},
): Promise<void> {
  await assertSource(pool, name);
  await pool.query(
    "UPDATE bac.sources SET desired = $2, options = options || $3::jsonb WHERE name = $1 AND desired <> 'removing'",
    [name, desired, JSON.stringify(options)],
  );
  await tell(log, name);
}

async function tell(log: ChangeLog, source: string): Promise<void> {
  await log.ensureTopic(CONTROL_TOPIC, CONTROL_TOPIC_CONFIG);
  await log.append([controlBatch({ type: 'source', source })]);
}

async function assertSource(pool: Pool, name: string): Promise<void> {
  const names = await sourceNames(pool);
  if (names.includes(name)) return;
  const near = nearest(name, names);
  throw userError(
    'SOURCE_NOT_FOUND',
    `There is no source "${name}".`,
    near ? `Did you mean "${near}"?` : `Sources: ${names.join(', ') || 'none yet'}.`,
  );
}

async function assertTables(source: NewSource, tables: readonly string[]): Promise<void> {
  const client = await connectSource(source.url, {});
  try {
    const found = await introspectTables(client, source.name, { tables });
    const refused = found.find(
      ({ reason, schema }) => reason !== null && tables.includes(`${schema.schema}.${schema.table}`),
    );
    if (refused?.reason) throw userError(refused.reason.code, refused.reason.message, refused.reason.next);
  } finally {
    await client.end();
  }
}

/** Everything a connector needs is there, and Connect finds nothing wrong with its configuration. */
async function assertConnector(source: NewSource, { connect, log }: EngineSetup): Promise<DebeziumOptions> {
  const options = parseDebeziumOptions(source.debezium);
  const client = connectClientOf(connect);
  if (log !== 'kafka') {
    throw userError(
      'LOG_NOT_KAFKA',
      'Debezium writes to Kafka, and the log of this hub is the embedded one.',
      'Set log.kafka to the brokers that Kafka Connect writes to, or leave --engine out.',
    );
  }
  await checkConnector(client, { ...source, options, partitions: 1 });
  return options;
}

const exists = (name: string): Error =>
  userError(
    'SOURCE_EXISTS',
    `There already is a source "${name}".`,
    'Choose another name, or remove that one first.',
  );

function tableMissing(source: string, table: string, known: readonly string[]): Error {
  const near = nearest(table, known);
  return userError(
    'TABLE_NOT_FOUND',
    `Source "${source}" has no table "${table}".`,
    near ? `Did you mean "${near}"?` : 'bac status lists its tables.',
  );
}
