import { expect, test } from 'vitest';
import { debeziumSchema, parseDebeziumOptions } from './options.ts';
import { renderConnector, sameConfig } from './render.ts';

/** As Connect's FileConfigProvider is asked. */
const PROVIDER = `\${file:/run/secrets/shop:password}`;

const source = {
  name: 'shop',
  kind: 'postgres' as const,
  url: 'postgresql://reader:s%40cret@db.example:6432/sh%20op?sslmode=require',
  options: debeziumSchema.parse({}),
  partitions: 4,
};

test('a PostgreSQL source becomes a whole connector configuration', () => {
  const config = renderConnector({ ...source, retentionMs: 3_600_000 });
  expect(config).toMatchObject({
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    name: 'bac-shop',
    'topic.prefix': 'shop',
    'slot.name': 'bac_shop',
    'publication.name': 'bac_shop',
    'publication.autocreate.mode': 'disabled',
    'snapshot.mode': 'no_data',
    'plugin.name': 'pgoutput',
    'database.hostname': 'db.example',
    'database.port': '6432',
    'database.user': 'reader',
    'database.password': 's@cret',
    'database.dbname': 'sh op',
    'database.sslmode': 'require',
    'topic.creation.default.partitions': '4',
    'topic.creation.default.retention.ms': '3600000',
  });
  expect(Object.keys(config)).toEqual(Object.keys(config).sort());
  expect(Object.values(config).every((value) => typeof value === 'string')).toBe(true);
});

test('a YugabyteDB source has its own class, plugin and first host', () => {
  const config = renderConnector({
    ...source,
    kind: 'yugabytedb',
    url: 'postgresql://yugabyte:pw@[::1]:5433,b:5434/yugabyte',
  });
  expect(config).toMatchObject({
    'connector.class': 'io.debezium.connector.postgresql.YugabyteDBConnector',
    'plugin.name': 'yboutput',
    'database.hostname': '::1',
    'database.port': '5433',
  });
});

test('what an operator may set is set, a config provider keeps the password out', () => {
  const options = parseDebeziumOptions({
    snapshot: 'debezium',
    connector: { 'max.batch.size': 4096, 'database.password': PROVIDER },
  });
  const config = renderConnector({ ...source, options });
  expect(config).toMatchObject({
    'snapshot.mode': 'initial',
    'max.batch.size': '4096',
    'database.password': PROVIDER,
  });
  expect(JSON.stringify(config)).not.toContain('s@cret');
});

test.each([
  [{ connector: { 'decimal.handling.mode': 'precise' } }, 'CONNECTOR_OPTION_UNKNOWN'],
  [{ connector: { 'max.bach.size': 1 } }, 'CONNECTOR_OPTION_UNKNOWN'],
  [{ connector: { 'max.batch.size': 'many' } }, 'CONNECTOR_OPTION_INVALID'],
  [{ connector: { 'database.password': 'plain' } }, 'CONNECTOR_OPTION_INVALID'],
  [{ snapshot: 'never' }, 'CONNECTOR_OPTION_INVALID'],
])('%j is refused with %s', (asked, code) => {
  expect(() => parseDebeziumOptions(asked)).toThrow(expect.objectContaining({ code, disposition: 'user' }));
});

test('the configuration that Connect shows is compared with the one wanted', () => {
  const config = renderConnector(source);
  expect(sameConfig({ ...config }, config)).toBe(true);
  expect(sameConfig({ ...config, extra: 'x' }, config)).toBe(false);
  expect(sameConfig({ ...config, 'slot.name': 'other' }, config)).toBe(false);
});
