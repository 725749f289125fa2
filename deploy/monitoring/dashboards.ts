import type { Dashboard } from './model.ts';

/** Every api gives the same figures of sources and tables: one of them is enough. */
const table = (metric: string): string =>
  `max by (source, schema, table) (${metric}{source=~"$source", table=~"$table"})`;

export const DASHBOARDS: readonly Dashboard[] = [
  {
    file: 'bac-hub.json',
    uid: 'bac-hub',
    title: 'BAC Hub',
    rows: [
      {
        title: 'At a glance',
        panels: [
          {
            title: 'Worst freshness',
            kind: 'stat',
            unit: 's',
            queries: { worst: 'max(bac_table_freshness_seconds)' },
            marks: [10, 60],
          },
          {
            title: 'Rows a second',
            kind: 'stat',
            unit: 'short',
            queries: { rows: 'sum(max by (source, schema, table) (bac_table_rows_per_second))' },
          },
          {
            title: 'Events behind',
            kind: 'stat',
            unit: 'short',
            queries: { events: 'sum(max by (source, schema, table) (bac_table_lag_events))' },
            marks: [100_000, 1_000_000],
          },
          {
            title: 'Failed tables',
            kind: 'stat',
            unit: 'short',
            queries: { tables: 'sum(max by (source, schema, table) (bac_table_failed))' },
            marks: [1, 1],
          },
          {
            title: 'Open dead letters',
            kind: 'stat',
            unit: 'short',
            queries: { letters: 'sum(max by (source, schema, table) (bac_table_dead_letters))' },
            marks: [1, 1000],
          },
          {
            title: 'Roles up',
            kind: 'stat',
            unit: 'short',
            queries: { '{{role}}': 'sum by (role) (max by (role, exported_instance) (bac_role_up))' },
          },
        ],
      },
      {
        title: 'Stream',
        panels: [
          {
            title: 'Freshness by source (worst table)',
            kind: 'time',
            unit: 's',
            queries: { '{{source}}': 'max by (source) (bac_table_freshness_seconds)' },
          },
          {
            title: 'Rows a second by source',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{source}}': 'sum by (source) (max by (source, schema, table) (bac_table_rows_per_second))',
            },
          },
          {
            title: 'Events in the log not yet stored, by source',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{source}}': 'sum by (source) (max by (source, schema, table) (bac_table_lag_events))',
            },
          },
          {
            title: 'Slot lag',
            kind: 'time',
            unit: 'bytes',
            queries: { '{{source}}': 'max by (source) (bac_source_slot_lag_bytes)' },
          },
        ],
      },
      {
        title: 'Capture and sinks, each process',
        panels: [
          {
            title: 'Events captured a second',
            kind: 'time',
            unit: 'short',
            queries: { '{{instance}}': 'sum by (instance) (rate(bac_capture_events_total[1m]))' },
          },
          {
            title: 'Rows stored a second',
            kind: 'time',
            unit: 'short',
            queries: { '{{instance}}': 'sum by (instance) (rate(bac_sink_rows_total[1m]))' },
          },
          {
            title: 'Batch size',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{instance}}':
                'sum by (instance) (rate(bac_sink_rows_total[1m])) / sum by (instance) (rate(bac_sink_batches_total[1m]))',
            },
          },
          {
            title: 'Insert time and interval',
            kind: 'time',
            unit: 's',
            queries: {
              'insert {{instance}}': 'max by (instance) (bac_sink_last_insert_seconds)',
              'interval {{instance}}': 'max by (instance) (bac_sink_flush_interval_seconds)',
            },
          },
        ],
      },
      {
        title: 'Processes',
        panels: [
          {
            title: 'Memory',
            kind: 'time',
            unit: 'bytes',
            queries: {
              '{{role}} {{instance}}': 'max by (role, instance) (bac_role_memory_bytes)',
              'api {{instance}}': 'max by (instance) (bac_api_process_resident_memory_bytes)',
            },
          },
          {
            title: 'Processor, cores',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{role}} {{instance}}': 'sum by (role, instance) (rate(bac_role_cpu_seconds_total[1m]))',
              'api {{instance}}': 'sum by (instance) (rate(bac_api_process_cpu_seconds_total[1m]))',
            },
          },
          {
            title: 'Restarts in an hour',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{role}} {{instance}}': 'max by (role, instance) (increase(bac_role_restarts_total[1h]))',
            },
          },
          {
            title: 'Requests a second',
            kind: 'time',
            unit: 'reqps',
            queries: { '{{status}}': 'sum by (status) (rate(bac_http_requests_total[1m]))' },
          },
        ],
      },
    ],
  },
  {
    file: 'bac-tables.json',
    uid: 'bac-tables',
    title: 'BAC Hub: sources and tables',
    variables: {
      source: 'label_values(bac_table_freshness_seconds, source)',
      table: 'label_values(bac_table_freshness_seconds{source=~"$source"}, table)',
    },
    rows: [
      {
        title: 'Tables',
        panels: [
          {
            title: 'Freshness',
            kind: 'time',
            unit: 's',
            queries: { '{{source}}.{{schema}}.{{table}}': table('bac_table_freshness_seconds') },
          },
          {
            title: 'Events behind',
            kind: 'time',
            unit: 'short',
            queries: { '{{source}}.{{schema}}.{{table}}': table('bac_table_lag_events') },
          },
          {
            title: 'Rows a second',
            kind: 'time',
            unit: 'short',
            queries: { '{{source}}.{{schema}}.{{table}}': table('bac_table_rows_per_second') },
          },
          {
            title: 'Rows in the warehouse',
            kind: 'time',
            unit: 'short',
            queries: { '{{source}}.{{schema}}.{{table}}': table('bac_table_rows') },
          },
          {
            title: 'Dead letters',
            kind: 'time',
            unit: 'short',
            queries: { '{{source}}.{{schema}}.{{table}}': table('bac_table_dead_letters') },
          },
          {
            title: 'State of sources',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{source}} {{state}}': 'max by (source, state) (bac_source_state{source=~"$source"})',
            },
          },
        ],
      },
    ],
  },
  {
    file: 'bac-engines.json',
    uid: 'bac-engines',
    title: 'BAC Hub: log and warehouse',
    rows: [
      {
        title: 'Kafka',
        panels: [
          {
            title: 'Lag of the sinks by topic',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{topic}}': 'sum by (topic) (kafka_consumergroup_lag{consumergroup="bac.bac.sink"})',
            },
          },
          {
            title: 'Written a second by topic',
            kind: 'time',
            unit: 'short',
            queries: { '{{topic}}': 'sum by (topic) (rate(kafka_topic_partition_current_offset[1m]))' },
          },
          {
            title: 'Under-replicated partitions',
            kind: 'time',
            unit: 'short',
            queries: { partitions: 'sum(kafka_topic_partition_under_replicated_partition)' },
          },
          {
            title: 'Log and warehouse, bytes',
            kind: 'time',
            unit: 'bytes',
            queries: { log: 'max(bac_log_bytes)', warehouse: 'max(bac_warehouse_bytes)' },
          },
        ],
      },
      {
        title: 'ClickHouse',
        panels: [
          {
            title: 'Rows inserted a second',
            kind: 'time',
            unit: 'short',
            queries: { '{{instance}}': 'sum by (instance) (rate(ClickHouseProfileEvents_InsertedRows[1m]))' },
          },
          {
            title: 'Queries and inserts running',
            kind: 'time',
            unit: 'short',
            queries: { '{{instance}}': 'sum by (instance) (ClickHouseMetrics_Query)' },
          },
          {
            title: 'Parts in the fullest partition',
            kind: 'time',
            unit: 'short',
            queries: {
              '{{instance}}': 'max by (instance) (ClickHouseAsyncMetrics_MaxPartCountForPartition)',
            },
          },
          {
            title: 'Memory',
            kind: 'time',
            unit: 'bytes',
            queries: { '{{instance}}': 'max by (instance) (ClickHouseMetrics_MemoryTracking)' },
          },
        ],
      },
    ],
  },
];

/**
 * Names that come from other exporters, which no test here runs: kafka-exporter 1.9 (its README's list)
 * and ClickHouse's own endpoint (`system.metrics`, `system.events`, `system.asynchronous_metrics`).
 */
export const FOREIGN: readonly string[] = [
  'up',
  'kafka_consumergroup_lag',
  'kafka_topic_partition_current_offset',
  'kafka_topic_partition_under_replicated_partition',
  'ClickHouseProfileEvents_InsertedRows',
  'ClickHouseMetrics_Query',
  'ClickHouseMetrics_MemoryTracking',
  'ClickHouseMetrics_ReadonlyReplica',
  'ClickHouseAsyncMetrics_MaxPartCountForPartition',
];
