import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { configSchema, loadConfig } from '#kernel';

/** What compose.yaml and the files beside it say to the hub, held against what the hub understands. */
const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');

interface Service {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly networks: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly deploy?: { readonly replicas: number };
}

const example: Record<string, string> = Object.fromEntries(
  read('env.example')
    .split('\n')
    .filter((line) => /^\w+=/.test(line))
    .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
);
const filled = read('compose.yaml').replace(
  /\$\{(\w+)(?::[?-]([^}]*))?\}/g,
  (_, name: string, fallback: string) => example[name] || fallback || 'example',
);
const { services } = parse(filled, { merge: true }) as { services: Record<string, Service> };
const hub = Object.entries(services).filter(([name]) => name.startsWith('hub-'));

describe.each(hub)('%s', (name, service) => {
  test('runs one role with settings the hub knows, everything given and nothing embedded', () => {
    expect(service.command).toEqual(['up', '--roles', name.replace('hub-', '')]);
    const env = Object.fromEntries(
      Object.entries(service.environment ?? {}).map(([key, value]) => [key, String(value)]),
    );
    const config = loadConfig({ cwd: '/nonexistent', env });
    expect(config.postgres.url).toMatch(/@yugabytedb:5433\//);
    expect(config.clickhouse.url).toBe('http://clickhouse:8123');
    expect(config.log.kafka.brokers).toEqual(['kafka:9092']);
  });

  test('writes nothing to its root, has no rights of root, and has as many partitions as sinks may share', () => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(Number(service.environment?.BAC_LOG_PARTITIONS)).toBeGreaterThanOrEqual(
      service.deploy?.replicas ?? 1,
    );
  });
});

test('keys of the hub reach the api only', () => {
  for (const [name, { environment = {} }] of hub)
    expect('BAC_OWNER_KEY' in environment).toBe(name === 'hub-api');
});

test('ClickHouse knows the cluster, the user and the macros that the hub’s tables use', () => {
  const server = read('compose/clickhouse/server.xml');
  const cluster = String(services['hub-sink']!.environment!.BAC_CLICKHOUSE_CLUSTER);
  expect(server).toMatch(new RegExp(`<remote_servers[^>]*>\\s*<${cluster}>`));
  for (const macro of ['shard', 'replica']) expect(server).toContain(`<${macro}>`);
  const { user } = configSchema.parse({}).clickhouse;
  expect(read('compose/clickhouse/users.xml')).toContain(`<${user}>`);
});

test('what the configuration files take from the environment is given to their container', () => {
  const wanted = ['server.xml', 'users.xml'].flatMap((file) =>
    [...read(`compose/clickhouse/${file}`).matchAll(/from_env="(\w+)"/g)].map(([, name]) => name!),
  );
  expect(wanted.length).toBeGreaterThan(2);
  expect(Object.keys(services.clickhouse!.environment ?? {})).toEqual(expect.arrayContaining(wanted));
});

test('every target of Prometheus is a service, on a network that Prometheus is on', () => {
  const text = read('compose/prometheus/prometheus.yaml');
  const { scrape_configs } = parse(text) as {
    scrape_configs: { static_configs?: { targets: string[] }[]; dns_sd_configs?: { names: string[] }[] }[];
  };
  const names = scrape_configs.flatMap((job) => [
    ...(job.static_configs ?? []).flatMap(({ targets }) => targets.map((target) => target.split(':')[0]!)),
    ...(job.dns_sd_configs ?? []).flatMap((found) => found.names),
  ]);
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    expect(Object.keys(services)).toContain(name);
    expect(services[name]!.networks.some((network) => services.prometheus!.networks.includes(network))).toBe(
      true,
    );
  }
});
