import { readFileSync } from 'node:fs';
import { type TableSchema, tableKey, userError } from '#kernel';
import type { SourceKind } from '../catalog/index.ts';
import { publicationsOf, slotNameOf } from '../slots/index.ts';
import type { Overrides } from './options.ts';

export type ConnectorConfig = Readonly<Record<string, string>>;

export interface ConnectorSource {
  readonly name: string;
  readonly kind: SourceKind;
  /** Connection string, secret included. */
  readonly url: string;
  /** The tables to capture, with their keys. */
  readonly tables: readonly Pick<TableSchema, 'schema' | 'table' | 'keyRule' | 'key'>[];
  readonly overrides: Overrides;
  /** Defaults of the topics Connect creates. */
  readonly partitions: number;
  readonly retentionMs?: number;
}

const TEMPLATES: Readonly<Record<SourceKind, string>> = {
  postgres: 'postgresql.json',
  yugabytedb: 'yugabytedb.json',
};

/** The template of a kind of source, from cdc/connectors. */
export function connectorTemplate(kind: SourceKind): ConnectorConfig {
  const file = new URL(`../connectors/${TEMPLATES[kind]}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as ConnectorConfig;
}

/** Name of the source's connector in Connect. */
export const connectorNameOf = (source: string): string => `bac-${source}`;

/** The list properties are regular expressions separated by commas, matched against the whole name. */
const pattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/**
 * The whole configuration of a source's connector, property names sorted: the same source gives the
 * same text. Holds the password unless a config provider is named: never log it, see `hideSecrets`.
 * Errors: CONNECTOR_TABLE_NAME (user) for names the connector's lists cannot express.
 */
export function renderConnector(source: ConnectorSource): ConnectorConfig {
  const config: Record<string, string> = {
    ...connectorTemplate(source.kind),
    ...connection(source),
    'topic.prefix': source.name,
    'slot.name': slotNameOf(source.name),
    'publication.name': publicationsOf(source.name).changes,
    'table.include.list': source.tables.map((table) => pattern(assertListable(tableKey(table)))).join(','),
    'topic.creation.default.partitions': String(source.partitions),
    'topic.creation.default.replication.factor': '-1',
    'topic.creation.default.retention.ms': String(source.retentionMs ?? -1),
    ...source.overrides,
  };
  const keys = keyColumns(source.tables);
  if (keys !== '') config['message.key.columns'] = keys;
  if (config['heartbeat.action.query'] === '') delete config['heartbeat.action.query'];
  if (config['provide.transaction.metadata'] === 'true') Object.assign(config, aside(source.name));
  return Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function connection({ url, kind }: ConnectorSource): Record<string, string> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const sslmode = searchParams.get('sslmode');
  return {
    'database.hostname': hostname.replace(/^\[|\]$/g, ''),
    'database.port': port || (kind === 'yugabytedb' ? '5433' : '5432'),
    'database.user': decodeURIComponent(username),
    'database.password': decodeURIComponent(password),
    'database.dbname': decodeURIComponent(pathname.slice(1)),
    ...(sslmode === null ? {} : { 'database.sslmode': sslmode }),
  };
}

/**
 * Tables without a primary key: the replica index, or the whole row, is their key. A change of it then
 * is a delete and a create, as with the native reader.
 */
function keyColumns(tables: ConnectorSource['tables']): string {
  return tables
    .filter((table) => table.keyRule === 'whole-row' || table.keyRule === 'replica-index')
    .map((table) => `${pattern(tableKey(table))}:${table.key.map(assertListable).join(',')}`)
    .join(';');
}

function assertListable(name: string): string {
  if (!/[,;:]/.test(name)) return name;
  throw userError(
    'CONNECTOR_TABLE_NAME',
    `"${name}" has a character that separates entries of a connector's lists.`,
    'Leave the table out with --tables, or capture the source with --engine native.',
  );
}

/** Keeps the topic of transaction boundaries away from the source's topics, which the sink reads. */
const aside = (source: string): Record<string, string> => ({
  transforms: 'boundaries',
  'transforms.boundaries.type': 'org.apache.kafka.connect.transforms.RegexRouter',
  'transforms.boundaries.regex': `${pattern(source)}\\.transaction`,
  'transforms.boundaries.replacement': `bac-transactions.${source}`,
});

/** For people and logs: the password is not told. */
export const hideSecrets = (config: ConnectorConfig): ConnectorConfig =>
  config['database.password'] === undefined || config['database.password'].startsWith('${')
    ? config
    : { ...config, 'database.password': '[secret]' };

/** Topic of a table: characters Kafka does not allow in names are replaced by `_`, as Debezium does. */
export const debeziumTopicOf = (id: { source: string; schema: string; table: string }): string =>
  `${id.source}.${id.schema}.${id.table}`.replace(/[^A-Za-z0-9._-]/g, '_');
