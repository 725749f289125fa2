import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '#kernel';

/** What the chart renders (deploy/helm/golden, kept true by `npm run check:deploy`), asked as an operator would. */
const FOLDER = new URL('./golden/', import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'bac-test-chart-'));
afterAll(() => rmSync(folder, { recursive: true }));
const NAMES = readdirSync(FOLDER).map((file) => file.replace('.yaml', ''));

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds
type Manifest = any;

const rendered = (name: string): Manifest[] =>
  parseAllDocuments(readFileSync(new URL(`${name}.yaml`, FOLDER), 'utf8'))
    .map((document) => document.toJS())
    .filter(Boolean);
const of = (name: string, kind: string): Manifest[] => rendered(name).filter((item) => item.kind === kind);
const one = (name: string, kind: string, ending: string): Manifest => {
  const found = of(name, kind).filter((item) => item.metadata.name.endsWith(ending));
  expect(found).toHaveLength(1);
  return found[0];
};
const container = (deployment: Manifest): Manifest => deployment.spec.template.spec.containers[0];

test('each way of installing has its golden file', () => {
  expect(NAMES.sort()).toEqual(['canary', 'default', 'hpa', 'keda']);
});

describe.each(NAMES)('%s', (name) => {
  const deployments = of(name, 'Deployment');

  test('every pod is restricted: not root, nothing writable but scratch space, no token, no capabilities', () => {
    expect(deployments.length).toBeGreaterThanOrEqual(4);
    for (const deployment of deployments) {
      const { spec } = deployment.spec.template;
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.automountServiceAccountToken).toBe(false);
      expect(spec.hostNetwork ?? spec.hostPID ?? spec.hostIPC).toBeUndefined();
      expect(container(deployment).securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  test('service variables, which begin like settings of the hub, are kept out', () => {
    for (const deployment of deployments)
      expect(deployment.spec.template.spec.enableServiceLinks).toBe(false);
  });

  test('every pod has probes on the port it listens on, requests, a memory limit, and time to stop', () => {
    for (const deployment of deployments) {
      const role = deployment.metadata.labels['app.kubernetes.io/component'];
      const { ports, startupProbe, livenessProbe, readinessProbe, resources, args } = container(deployment);
      expect(args).toEqual(['up', '--roles', role]);
      expect(ports).toEqual([
        { name: 'http', containerPort: role === 'api' ? 7400 : 7480 },
        ...(name === 'keda' && role === 'api' ? [{ name: 'sql', containerPort: 7433 }] : []),
      ]);
      expect([startupProbe, livenessProbe, readinessProbe].map((probe) => probe.httpGet)).toEqual([
        { path: '/healthz', port: 'http' },
        { path: '/healthz', port: 'http' },
        { path: '/readyz', port: 'http' },
      ]);
      expect(resources.requests.cpu && resources.requests.memory && resources.limits.memory).toBeTruthy();
      expect(deployment.spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(20);
    }
  });

  test('selectors find their own pods and no others', () => {
    const matches = (selector: Manifest, labels: Manifest): boolean =>
      Object.entries(selector).every(([key, value]) => labels[key] === value);
    for (const deployment of deployments) {
      const found = deployments.filter((other) =>
        matches(deployment.spec.selector.matchLabels, other.spec.template.metadata.labels),
      );
      expect(found.map((item) => item.metadata.name)).toEqual([deployment.metadata.name]);
    }
    for (const service of of(name, 'Service')) {
      const found = deployments.filter((other) =>
        matches(service.spec.selector, other.spec.template.metadata.labels),
      );
      const pods = service.metadata.name.replace(/-sql$/, '-api');
      expect(found.map((item) => item.metadata.name)).toEqual([pods]);
    }
  });

  test('bac.yaml is one the hub takes, and holds no secret', () => {
    const [config] = of(name, 'ConfigMap').filter((item) => item.data['bac.yaml']);
    const text = config.data['bac.yaml'] as string;
    expect(text).not.toMatch(/password|secret|postgresql:/i);
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, text);
    const taken = loadConfig({ file, env: { BAC_KAFKA_SASL_USERNAME: 'hub', BAC_KAFKA_SASL_PASSWORD: 'x' } });
    expect(taken.clickhouse.url).toMatch(/^https?:/);
    expect(taken.log.kafka.brokers.length).toBeGreaterThan(0);
    expect(taken.log.partitions).toBeGreaterThan(1);
    if (name === 'keda') {
      expect(taken.log.kafka).toMatchObject({ tls: { enabled: true }, sasl: { mechanism: 'scram-sha-512' } });
      expect(taken.clickhouse.cluster).toMatchObject({ name: 'main' });
      expect(taken.connect.url).toBe('http://connect:8083');
    }
  });

  test('keys of the deployment reach the api only', () => {
    for (const deployment of deployments) {
      const names = container(deployment).env.map((entry: { name: string }) => entry.name);
      const isApi = deployment.metadata.labels['app.kubernetes.io/component'] === 'api';
      expect(names.includes('BAC_OWNER_KEY_FILE')).toBe(isApi);
      expect(
        deployment.spec.template.spec.volumes.some((volume: { name: string }) => volume.name === 'keys'),
      ).toBe(isApi);
      // Every variable is one the hub knows: an unknown one ends it.
      const env = Object.fromEntries(names.map((variable: string) => [variable, 'x']));
      delete env.BAC_CONFIG;
      expect(() => loadConfig({ cwd: '/nonexistent', env })).not.toThrow(/not a variable/);
    }
  });

  test('a rollout never takes away what is there before the new one is ready', () => {
    for (const deployment of deployments) {
      if (deployment.metadata.labels['app.kubernetes.io/component'] === 'worker') continue;
      expect(deployment.spec.strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
    }
  });
});

test('default: a secret is made, policies and budgets cover every role, sinks have a fixed number', () => {
  expect(
    Object.keys(one('default', 'Secret', 'hub').stringData ?? one('default', 'Secret', '').stringData).sort(),
  ).toEqual(['clickhouse-password', 'metrics-key', 'owner-key', 'postgres-url']);
  expect(of('default', 'NetworkPolicy')).toHaveLength(2);
  expect(of('default', 'PodDisruptionBudget').map((item) => item.metadata.name.split('-').at(-1))).toEqual([
    'capture',
    'sink',
    'api',
  ]);
  expect(one('default', 'Deployment', '-sink').spec.replicas).toBe(2);
  expect(of('default', 'Ingress')).toEqual([]);
});

test('canary: its own deployment and service, and the stated share of requests', () => {
  const canary = one('canary', 'Deployment', '-api-canary');
  expect(container(canary).image).toBe('bac-hub:0.2.0');
  const [rule] = one('canary', 'HTTPRoute', '').spec.rules;
  expect(rule.backendRefs.map(({ name, weight }: Manifest) => [name, weight])).toEqual([
    ['hub-bac-hub-api', 85],
    ['hub-bac-hub-api-canary', 15],
  ]);
  // The autoscaler is the stable deployment's.
  expect(of('canary', 'HorizontalPodAutoscaler').map((item) => item.spec.scaleTargetRef.name)).toEqual([
    'hub-bac-hub-api',
  ]);
  const rules = one('canary', 'PrometheusRule', '').spec;
  expect(rules).toEqual(parse(readFileSync(new URL('./bac-hub/files/alerts.yaml', import.meta.url), 'utf8')));
  const dashboards = one('canary', 'ConfigMap', '-dashboards').data;
  for (const [file, text] of Object.entries(dashboards))
    expect(JSON.parse(text as string).uid, file).toMatch(/^bac-/);
  expect(one('canary', 'ServiceMonitor', '-api').spec.endpoints[0].authorization.credentials.key).toBe(
    'metrics-key',
  );
});

test('keda: the number of sinks follows the lag of their group, nobody else sets it', () => {
  expect(one('keda', 'Deployment', '-sink').spec.replicas).toBeUndefined();
  const scaled = one('keda', 'ScaledObject', '-sink').spec;
  expect(scaled).toMatchObject({
    minReplicaCount: 2,
    maxReplicaCount: 12,
    scaleTargetRef: { name: 'hub-bac-hub-sink' },
  });
  expect(scaled.triggers[0].metadata).toMatchObject({
    bootstrapServers: 'kafka-0:9093,kafka-1:9093,kafka-2:9093',
    consumerGroup: 'bac.bac.sink',
    lagThreshold: '250000',
    sasl: 'scram_sha512',
    tls: 'enable',
  });
  expect(one('keda', 'Ingress', '').spec.tls[0].secretName).toBe('hub-tls');
});

test('keda: the SQL API is served with a certificate, on a service of its own; elsewhere on none', () => {
  const service = one('keda', 'Service', '-sql').spec;
  expect(service).toMatchObject({ type: 'LoadBalancer', ports: [{ port: 7433, targetPort: 'sql' }] });
  const api = one('keda', 'Deployment', '-api');
  const env = Object.fromEntries(
    container(api).env.map(({ name, value }: { name: string; value?: string }) => [name, value]),
  );
  expect(env).toMatchObject({
    BAC_SQL_HOST: '0.0.0.0',
    BAC_SQL_TLS_CERT_FILE: '/etc/bac-hub-sql/tls.crt',
    BAC_SQL_TLS_KEY_FILE: '/etc/bac-hub-sql/tls.key',
  });
  expect(one('keda', 'NetworkPolicy', '-api').spec.ingress[0].ports).toContainEqual({
    protocol: 'TCP',
    port: 7433,
  });
  for (const name of ['default', 'canary', 'hpa'])
    expect(of(name, 'Service').filter((item) => item.metadata.name.endsWith('-sql'))).toEqual([]);
});

test('hpa: an external metric sets the number of sinks; what is switched off is not there', () => {
  expect(one('hpa', 'Deployment', '-sink').spec.replicas).toBeUndefined();
  const [scaler, ...more] = of('hpa', 'HorizontalPodAutoscaler');
  expect(more).toEqual([]);
  expect(scaler.spec.metrics[0].external.target).toEqual({ type: 'AverageValue', averageValue: '100000' });
  expect([...of('hpa', 'NetworkPolicy'), ...of('hpa', 'PodDisruptionBudget')]).toEqual([]);
});
