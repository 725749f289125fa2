import { describe, expect, test } from 'vitest';
import { configSchema } from '#kernel';
import { assembleSources, type Readings, totalsOf } from './assemble.ts';
import { EventFeed } from './events.ts';
import { formatBytes, formatDuration, formatRate } from './format.ts';
import { Rates } from './rates.ts';
import { hidePassword, type SourceRow, type TableRow } from './read-state.ts';
import { statusText } from './text.ts';
import type { Status } from './types.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const config = configSchema.parse({});
const source = (change: Partial<SourceRow> = {}): SourceRow => ({
  name: 'shop',
  kind: 'postgres',
  engine: 'native',
  url: 'postgres://a:***@b/c',
  desired: 'running',
  state: 'streaming',
  error: null,
  slot: 'bac_shop',
  confirmedLsn: '1',
  committedAt: new Date(NOW),
  lagBytes: 1024,
  alarm: 'none',
  ...change,
});
const table = (name: string, change: Partial<TableRow> = {}): TableRow => ({
  source: 'shop',
  schema: 'public',
  table: name,
  topic: `shop.public.${name}`,
  state: 'streaming',
  generation: 1,
  version: 1,
  snapshotRows: 10,
  estimatedRows: 10,
  error: null,
  watermark: new Date(NOW - 120),
  deadLetters: 0,
  verification: null,
  ...change,
});
const readings = (tables: TableRow[], change: Partial<Readings> = {}, sources = [source()]): Readings => ({
  state: { sources, tables, roles: [], apps: [] },
  lag: tables.map(({ topic }) => ({ topic, partition: 0, committed: 5, end: 8, lag: 3 })),
  topics: [],
  warehouse: {
    version: '26.7',
    bytes: 100,
    error: null,
    tables: new Map([['shop.a', { rows: 42, bytes: 100, exact: true }]]),
  },
  now: NOW,
  tick: 0,
  ...change,
});
const assemble = (given: Readings) => assembleSources(given, new Rates(), config);

describe('the document says what it knows and no more', () => {
  test('a streaming table', () => {
    expect(assemble(readings([table('a')]))[0]!.tables[0]).toMatchObject({
      rows: 42,
      rowsKind: 'exact',
      freshnessMs: 120,
      lagEvents: 3,
      rowsPerSecond: null,
      snapshotProgress: null,
    });
  });

  test('unknown is null, not zero: no watermark, no log, no warehouse', () => {
    const blind = readings([table('a', { watermark: null })], {
      lag: null,
      warehouse: { version: null, bytes: null, error: { code: 'X', message: 'down' }, tables: new Map() },
    });
    expect(assemble(blind)[0]!.tables[0]).toMatchObject({
      rows: null,
      rowsKind: 'unknown',
      freshnessMs: null,
      lagEvents: null,
      rowsPerSecond: null,
    });
  });

  test('a table in snapshot has progress below one and no freshness', () => {
    const [busy] = assemble(
      readings([table('a', { state: 'snapshotting', snapshotRows: 50, estimatedRows: 40 })]),
    )[0]!.tables;
    expect([busy!.snapshotProgress, busy!.freshnessMs]).toEqual([0.99, null]);
  });

  test('a source snapshots while one of its tables does, whatever it said last', () => {
    const state = (...tables: string[]) =>
      assemble(
        readings(
          tables.map((one, index) => table(`t${index}`, { state: one })),
          {},
          [source({ state: 'snapshotting' })],
        ),
      )[0]!.state;
    expect(state('streaming', 'unsupported')).toBe('streaming');
    for (const busy of ['pending', 'snapshotting']) expect(state('streaming', busy)).toBe('snapshotting');
    expect(state()).toBe('snapshotting');
  });

  test('the source is as stale as its stalest table, the alarm the worse of ours and capture’s', () => {
    const [shop] = assemble(readings([table('a'), table('b', { watermark: new Date(NOW - 9000) })]));
    expect(shop).toMatchObject({ freshnessMs: 9000, lagAlarm: 'ok' });
    const alarm = (change: Partial<SourceRow>) => assemble(readings([], {}, [source(change)]))[0]!.lagAlarm;
    expect(alarm({ lagBytes: 2 ** 30 })).toBe('warn');
    expect(alarm({ lagBytes: 2 ** 33 })).toBe('alarm');
    expect(alarm({ alarm: 'alarm' })).toBe('alarm');
    expect(alarm({ lagBytes: null, alarm: null })).toBe('unknown');
  });

  test('totals: the median and the worst of what is known', () => {
    const sources = assemble(
      readings([100, 300, 200].map((ms, index) => table(`t${index}`, { watermark: new Date(NOW - ms) }))),
    );
    expect(totalsOf(sources)).toMatchObject({
      tables: 3,
      freshnessP50Ms: 200,
      freshnessMaxMs: 300,
      lagEvents: 9,
    });
    expect(totalsOf([])).toMatchObject({ rows: null, freshnessP50Ms: null, rowsPerSecond: null });
  });
});

test('events tell changes, not the first sight, and are bounded', () => {
  const feed = new EventFeed();
  const at = new Date(NOW).toISOString();
  const round = (state: string, dead: number) =>
    feed.update(at, assemble(readings([table('a', { state, deadLetters: dead })])), []);
  expect(round('snapshotting', 0)).toEqual([]);
  expect(round('streaming', 2).map(({ subject, level, message }) => [subject, level, message])).toEqual([
    ['shop.public.a', 'good', 'snapshotting → streaming'],
    ['shop.public.a', 'error', '2 rows were set aside as dead letters'],
  ]);
  for (let index = 0; index < 300; index += 1) round(index % 2 ? 'failed' : 'streaming', 2);
  expect(round('failed', 2).length).toBe(100);
});

test.each([
  ['postgres://a:secret@b/c', 'postgres://a:***@b/c'],
  ['postgres://b/c?user=a&password=secret', 'postgres://b/c?user=a&password=***'],
  ['host=b password=secret', '[hidden]'],
])('the password of %s is hidden', (url, shown) => {
  expect(hidePassword(url)).toBe(shown);
});

test.each([
  [formatBytes(null), '–'],
  [formatBytes(1023), '1023 B'],
  [formatBytes(1536), '1.5 KiB'],
  [formatBytes(5 * 2 ** 40), '5.0 TiB'],
  [formatDuration(999), '999 ms'],
  [formatDuration(61_000), '1 min 1 s'],
  [formatDuration(90_000_000), '25 h 0 min'],
  [formatRate(0.25), '0.3'],
  [formatRate(12_345), '12,345'],
])('%s is %s', (text, expected) => {
  expect(text).toBe(expected);
});

test('the text form lines up, shows errors with their next step, and has no colour unless asked', () => {
  const sources = assemble(
    readings(
      [
        table('a', {
          verification: {
            at: new Date(NOW - 3 * 3_600_000).toISOString(),
            comparedAt: null,
            state: 'different',
            differences: 1200,
            repaired: 200,
            reason: null,
          },
        }),
        table('b', { state: 'failed', error: { code: 'BAD', message: 'It broke.', next: 'Mend it.' } }),
      ],
      {},
      [source()],
    ),
  );
  const status: Status = {
    at: new Date(NOW).toISOString(),
    hub: { version: '1', startedAt: '', uptimeMs: 60_000, pid: 1 },
    addresses: { http: 'http://127.0.0.1:7400' },
    totals: totalsOf(sources),
    sources,
    apps: [
      {
        name: 'library',
        label: 'Library',
        version: 3,
        entities: 2,
        state: 'interrupted',
        message: 'back to version 1',
        appliedAt: new Date(NOW - 60_000).toISOString(),
        appliedBy: 'ada',
      },
    ],
    rollups: [
      { name: 'sales.by_day', state: 'ready', error: null, lastMs: 12 },
      { name: 'sales.by_hour', state: 'failed', error: 'no room', lastMs: 12 },
    ],
    model: [
      {
        folder: '/etc/model',
        state: 'refused',
        files: 2,
        since: new Date(NOW - 60_000).toISOString(),
        problems: [{ message: 'own.yaml:7: sales.revenue needs CUBE.totl', next: 'Did you mean total?' }],
      },
    ],
    roles: [
      {
        role: 'sink',
        instance: 'x',
        state: 'up',
        ageMs: 5,
        pid: 7,
        rssBytes: 2 ** 20,
        cpuPercent: 3,
        restarts: null,
      },
    ],
    log: { kind: 'embedded', topics: 2, bytes: 10, error: null },
    warehouse: { version: '26.7', bytes: 100, error: null },
    events: [],
  };
  const text = statusText(status, { colour: false });
  expect(text).toContain('    BAD It broke.\n    Mend it.\n');
  expect(text).toContain('different 1,000, 3 h 0 min ago\n');
  expect(text).toMatch(/library +3 +2 +interrupted +1 min 0 s ago +ada\n {4}library: back to version 1/);
  expect(text).toMatch(/rollups +1 of 2 ready\n {2}sales.by_hour +failed +no room/);
  expect(text).toContain(
    'model      refused, what was in force for 1 min 0 s stays   /etc/model\n    own.yaml:7: sales.revenue needs CUBE.totl\n    Did you mean total?\n',
  );
  expect(text).not.toContain('\u001b');
  const lines = text.split('\n').filter((line) => /^ {2}(table|public)/.test(line));
  expect(new Set(lines.slice(0, 3).map((line) => line.length)).size).toBe(1);
  expect(statusText(status, { colour: true })).toContain('\u001b[32mstreaming\u001b[0m');
});
