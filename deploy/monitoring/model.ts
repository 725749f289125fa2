/** Dashboards in the few words they need; `grafana` writes them in Grafana's JSON (schema version 39). */
export interface Panel {
  readonly title: string;
  readonly kind: 'stat' | 'time';
  /** Grafana's unit id. */
  readonly unit: string;
  /** Legend by PromQL. */
  readonly queries: Readonly<Record<string, string>>;
  /** From the first value on yellow, from the second on red. */
  readonly marks?: readonly [number, number];
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  /** Template variables by name, as queries for their values. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

const SOURCE = { type: 'prometheus', uid: 'prometheus' };
const WIDTH = 24;
const STAT = { w: 4, h: 4 };
const TIME = { w: 12, h: 8 };

export function grafana(dashboard: Dashboard): unknown {
  const panels: unknown[] = [];
  let y = 0;
  let id = 0;
  for (const row of dashboard.rows) {
    panels.push({
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      const size = panel.kind === 'stat' ? STAT : TIME;
      if (x + size.w > WIDTH) {
        x = 0;
        y += height;
      }
      panels.push(panelJson(panel, ++id, { x, y, ...size }));
      x += size.w;
      height = size.h;
    }
    y += height;
  }
  return {
    uid: dashboard.uid,
    title: dashboard.title,
    tags: ['bac-hub'],
    schemaVersion: 39,
    version: 1,
    editable: false,
    refresh: '15s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: Object.entries(dashboard.variables ?? {}).map(variable) },
    panels,
  };
}

const panelJson = (panel: Panel, id: number, gridPos: unknown): unknown => ({
  id,
  type: panel.kind === 'stat' ? 'stat' : 'timeseries',
  title: panel.title,
  gridPos,
  datasource: SOURCE,
  fieldConfig: {
    defaults: {
      unit: panel.unit,
      ...(panel.marks
        ? {
            thresholds: {
              mode: 'absolute',
              steps: [
                { color: 'green', value: null },
                { color: 'yellow', value: panel.marks[0] },
                { color: 'red', value: panel.marks[1] },
              ],
            },
          }
        : {}),
    },
    overrides: [],
  },
  options:
    panel.kind === 'stat'
      ? { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, colorMode: 'value' }
      : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
  targets: Object.entries(panel.queries).map(([legend, expr], index) => ({
    refId: String.fromCharCode(65 + index),
    datasource: SOURCE,
    expr,
    legendFormat: legend,
  })),
});

const variable = ([name, query]: [string, string]): unknown => ({
  name,
  type: 'query',
  datasource: SOURCE,
  query: { query, refId: name },
  refresh: 2,
  includeAll: true,
  multi: true,
  current: { text: 'All', value: '$__all' },
});
