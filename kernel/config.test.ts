import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig, loadConfigWithOrigin, publicConfig } from './config.ts';
import { nearest } from './nearest.ts';

const cwd = mkdtempSync(join(tmpdir(), 'bac-config-'));
afterAll(() => rmSync(cwd, { recursive: true }));
const yaml = (text: string): void => writeFileSync(join(cwd, 'bac.yaml'), text);

describe('configuration', () => {
  test('nothing given: all defaults, paths absolute', () => {
    const config = loadConfig({ cwd, env: {} });
    expect(config.http.port).toBe(7400);
    expect(config.stateDir).toBe(join(cwd, '.bac'));
  });

  test('variables override the file; chosen ports are known', () => {
    yaml('http: { port: 8000 }\ndemo: { rate: 2 }\n');
    const { config, chosen } = loadConfigWithOrigin({
      cwd,
      env: { BAC_HTTP_PORT: '0', BAC_DEMO_RATE: '7.5' },
    });
    expect(config.http.port).toBe(0);
    expect(config.demo.rate).toBe(7.5);
    expect([...chosen]).toEqual(['http']);
  });

  test('several ClickHouse hosts, as a list or as text, and their cluster', () => {
    yaml(
      'clickhouse: { url: [http://a:1, "http://u:secret@b:2"], cluster: { name: main, insertQuorum: auto } }\n',
    );
    const config = loadConfig({ cwd, env: {} });
    expect(config.clickhouse.url).toBe('http://a:1,http://u:secret@b:2');
    expect(config.clickhouse.cluster).toEqual({ name: 'main', replicated: true, insertQuorum: 'auto' });
    expect(publicConfig(config).clickhouse.url).toBe('http://a:1,http://u:[secret]@b:2');
    const env = { BAC_CLICKHOUSE_URL: 'http://x:1,http://y:2', BAC_CLICKHOUSE_CLUSTER: 'other' };
    expect(loadConfig({ cwd, env }).clickhouse).toMatchObject({
      url: env.BAC_CLICKHOUSE_URL,
      cluster: { name: 'other' },
    });
  });

  test.each([
    ['htp:\n  port: 1\n', 'bac.yaml:1: unknown key "htp".', 'Did you mean "http"?'],
    [
      'sink:\n  minFlushMs: 5\n  maxBatchByte: 5\n',
      'bac.yaml:3: unknown key "sink.maxBatchByte".',
      'Did you mean "maxBatchBytes"?',
    ],
    ['http:\n  port: 99999\n', 'bac.yaml:2: http.port:', 'Mend the value'],
    ['http: [1\n', 'bac.yaml:', 'Mend the YAML'],
    ['http\n', 'bac.yaml: its content is no set of keys and values.', 'Write keys such as "http:"'],
    ['- http\n', 'bac.yaml: its content is no set of keys and values.', '`bac config` shows all'],
  ])('%j is refused with file, line and a next step', (text, message, next) => {
    yaml(text);
    try {
      loadConfig({ cwd, env: {} });
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining(message),
        next: expect.stringContaining(next),
      });
    }
  });

  test('switches and addresses come as text from the environment', () => {
    yaml('');
    const env = { BAC_DEMO: 'false', BAC_HTTP_PUBLIC_URL: 'https://hub.example', BAC_HEALTH_PORT: '1' };
    const { config, chosen } = loadConfigWithOrigin({ cwd, env });
    expect(config.demo.enabled).toBe(false);
    expect([config.http.publicUrl, config.health.port]).toEqual(['https://hub.example', 1]);
    expect([...chosen]).toEqual(['health']);
    for (const wrong of [
      { BAC_DEMO: 'maybe' },
      { BAC_HTTP_PUBLIC_URL: 'hub.example' },
      { BAC_INSTANCE: 'a b' },
    ])
      expect(() => loadConfig({ cwd, env: wrong })).toThrow(/CONFIG_INVALID|:/);
  });

  test('an unknown variable is refused, with the nearest one', () => {
    yaml('');
    expect(() => loadConfig({ cwd, env: { BAC_HTPP_PORT: '1' } })).toThrow(/BAC_HTPP_PORT/);
  });

  test('secrets are hidden when shown', () => {
    const config = loadConfig({
      cwd,
      env: { BAC_POSTGRES_URL: 'postgresql://me:topsecret@db/x', BAC_CLICKHOUSE_PASSWORD: 'topsecret' },
    });
    expect(JSON.stringify(publicConfig(config))).not.toContain('topsecret');
  });

  test('the nearest word is only suggested when it is near', () => {
    expect(nearest('referense', ['reference', 'text'])).toBe('reference');
    expect(nearest('zzzzzzzz', ['reference', 'text'])).toBeNull();
  });
});

test('brokers set make Kafka the log; its password is not shown, and incomplete logins are refused', () => {
  const env = {
    BAC_KAFKA_BROKERS: 'a:9092, b:9093',
    BAC_KAFKA_TLS: 'true',
    BAC_KAFKA_SASL_USERNAME: 'hub',
    BAC_KAFKA_SASL_PASSWORD: 'deep secret',
  };
  const config = loadConfig({ cwd: tmpdir(), env });
  expect(config.log.kafka).toMatchObject({
    brokers: ['a:9092', 'b:9093'],
    clientId: 'bac',
    tls: { enabled: true },
    sasl: { mechanism: 'scram-sha-512', username: 'hub', password: 'deep secret' },
  });
  expect(JSON.stringify(publicConfig(config))).not.toContain('deep secret');
  expect(loadConfig({ cwd: tmpdir(), env: {} }).log.kafka.brokers).toEqual([]);
  const load = (over: Record<string, string>) => () =>
    loadConfig({ cwd: tmpdir(), env: { BAC_KAFKA_BROKERS: 'a:9092', ...over } });
  expect(load({ BAC_KAFKA_SASL_USERNAME: 'hub' })).toThrow(/username and password go together/);
  expect(load({ BAC_KAFKA_BROKERS: 'kafka://a' })).toThrow(/host:port/);
});
