import { readFileSync } from 'node:fs';
import type { SourceKind } from '../catalog/index.ts';
import { currentUrl } from '../catalog/index.ts';
import { publicationsOf, slotNameOf } from '../slots/index.ts';
import type { DebeziumOptions } from './options.ts';

export type ConnectorConfig = Readonly<Record<string, string>>;

export interface ConnectorSource {
  readonly name: string;
  readonly kind: SourceKind;
  /** Connection string, secret included. */
  readonly url: string;
  readonly options: DebeziumOptions;
  /** Of topics that Connect makes because a table is younger than the hub's last look. */
  readonly partitions: number;
  readonly retentionMs?: number | undefined;
}

const TEMPLATES: Readonly<Record<SourceKind, string>> = {
  postgres: 'postgresql.json',
  yugabytedb: 'yugabytedb.json',
};

/** Name of the source's connector in Connect. */
export const connectorNameOf = (source: string): string => `bac-${source}`;

/** Where the connector writes its heartbeats; apart from the source's topics, which the sink reads. */
export const heartbeatTopicOf = (source: string): string => `__debezium-heartbeat.${source}`;

/** The template of a kind of source, from cdc/connectors. */
function template(kind: SourceKind): ConnectorConfig {
  const file = new URL(`../connectors/${TEMPLATES[kind]}`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as ConnectorConfig;
}

/**
 * The whole configuration of a source's connector, property names sorted: the same source gives the same
 * text. Which tables are captured is the publication's business, so that new tables need no restart.
 * Holds the password unless a config provider is named: never log it.
 */
export function renderConnector(source: ConnectorSource): ConnectorConfig {
  const { name, kind, options, partitions, retentionMs = -1 } = source;
  const config: ConnectorConfig = {
    ...template(kind),
    ...connection(source),
    name: connectorNameOf(name),
    // Topics are <source>.<schema>.<table>, like those of the native reader.
    'topic.prefix': name,
    'slot.name': slotNameOf(name),
    'publication.name': publicationsOf(name).changes,
    'topic.creation.default.partitions': String(partitions),
    'topic.creation.default.retention.ms': String(retentionMs),
    ...(options.snapshot === 'debezium' ? { 'snapshot.mode': 'initial' } : {}),
    ...options.connector,
  };
  return Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function connection({ url }: ConnectorSource): ConnectorConfig {
  const { hostname, port, username, password, pathname, searchParams } = new URL(currentUrl(url));
  const sslmode = searchParams.get('sslmode');
  return {
    'database.hostname': hostname.replace(/^\[|\]$/g, ''),
    'database.port': port || '5432',
    'database.user': decodeURIComponent(username),
    'database.password': decodeURIComponent(password),
    'database.dbname': decodeURIComponent(pathname.slice(1)),
    ...(sslmode === null ? {} : { 'database.sslmode': sslmode }),
  };
}

/** True if `present` (as Connect shows it) is the wanted configuration. */
export const sameConfig = (
  present: Readonly<Record<string, string | null>>,
  wanted: ConnectorConfig,
): boolean =>
  Object.keys(present).length === Object.keys(wanted).length &&
  Object.entries(wanted).every(([key, value]) => present[key] === value);
