import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Status } from '../status/index.ts';

export interface HttpMetrics {
  observe(method: string, route: string, status: number, seconds: number): void;
  /** Prometheus text. `null` when the status could not be read: then `bac_up` is 0 and the rest is left out. */
  render(status: Status | null): Promise<{ contentType: string; text: string }>;
}

/** The status document as Prometheus gauges, beside the HTTP server's own figures. */
export function createMetrics(): HttpMetrics {
  const own = new Registry();
  collectDefaultMetrics({ register: own, prefix: 'bac_api_' });
  const requests = new Counter({
    name: 'bac_http_requests_total',
    help: 'HTTP requests answered',
    labelNames: ['method', 'route', 'status'],
    registers: [own],
  });
  const seconds = new Histogram({
    name: 'bac_http_request_seconds',
    help: 'Time to answer',
    labelNames: ['route'],
    buckets: [0.002, 0.01, 0.05, 0.25, 1, 5, 30],
    registers: [own],
  });
  return {
    observe(method, route, status, took) {
      requests.inc({ method, route, status });
      seconds.observe({ route }, took);
    },
    async render(status) {
      const text = `${await own.metrics()}\n${await gauges(status).metrics()}`;
      return { contentType: own.contentType, text };
    },
  };
}

type Labels = Readonly<Record<string, string>>;

function gauges(status: Status | null): Registry {
  const registry = new Registry();
  const family = (name: string, help: string, labelNames: string[] = []) => {
    const gauge = new Gauge({ name, help, labelNames, registers: [registry] });
    return (value: number | null, labels: Labels = {}): void => {
      if (value !== null) gauge.set(labels, value);
    };
  };
  const seconds = (ms: number | null): number | null => (ms === null ? null : ms / 1000);
  family('bac_up', 'Whether the hub’s state can be read')(status ? 1 : 0);
  if (!status) return registry;
  const table = ['source', 'schema', 'table'];
  const set = {
    up: family('bac_role_up', 'Whether the role reported lately', ['role', 'instance']),
    rss: family('bac_role_resident_bytes', 'Resident memory of the role', ['role', 'instance']),
    slot: family('bac_source_slot_lag_bytes', 'WAL the slot keeps back at the source', ['source']),
    state: family('bac_source_state', 'State of the source, 1 for the present one', ['source', 'state']),
    alarm: family('bac_source_lag_alarm', 'Slot lag: 0 in order, 1 warning, 2 alarm', ['source']),
    fresh: family(
      'bac_table_freshness_seconds',
      'Age of the commit up to which the warehouse is complete',
      table,
    ),
    waiting: family('bac_table_lag_events', 'Events in the log not yet in the warehouse', table),
    rate: family('bac_table_rows_per_second', 'Rows applied a second over the last seconds', table),
    rows: family('bac_table_rows', 'Rows in the warehouse', [...table, 'kind']),
    dead: family('bac_table_dead_letters', 'Open dead letters', table),
    verified: family(
      'bac_table_verified_timestamp_seconds',
      'When the table was last compared with its source to the end',
      table,
    ),
    verifiedState: family(
      'bac_table_verified_state',
      'What the last comparison found, 1 for the present state',
      [...table, 'state'],
    ),
    differences: family('bac_table_verified_differences', 'Rows that differed and were not repaired', table),
    failed: family('bac_table_failed', 'Whether the table has stopped with an error', table),
  };
  for (const role of status.roles) {
    const labels = { role: role.role, instance: role.instance };
    set.up(role.state === 'silent' || role.state === 'down' ? 0 : 1, labels);
    set.rss(role.rssBytes, labels);
  }
  for (const source of status.sources) {
    set.slot(source.lagBytes, { source: source.name });
    set.state(1, { source: source.name, state: source.state });
    const level = ['ok', 'warn', 'alarm'].indexOf(source.lagAlarm);
    set.alarm(level < 0 ? null : level, { source: source.name });
    for (const entry of source.tables) {
      const labels = { source: source.name, schema: entry.schema, table: entry.table };
      set.fresh(seconds(entry.freshnessMs), labels);
      set.waiting(entry.lagEvents, labels);
      set.rate(entry.rowsPerSecond, labels);
      set.rows(entry.rows, { ...labels, kind: entry.rowsKind });
      set.dead(entry.deadLetters, labels);
      set.failed(entry.state === 'failed' ? 1 : 0, labels);
      const { verification } = entry;
      if (verification === null) continue;
      const { comparedAt, state, differences, repaired } = verification;
      set.verified(comparedAt === null ? null : Date.parse(comparedAt) / 1000, labels);
      set.verifiedState(1, { ...labels, state });
      set.differences(differences - repaired, labels);
    }
  }
  family('bac_log_bytes', 'Bytes kept in the log')(status.log.bytes);
  family('bac_warehouse_bytes', 'Bytes of the sources’ tables in the warehouse')(status.warehouse.bytes);
  return registry;
}
