import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { DASHBOARDS, FOREIGN } from './dashboards.ts';
import { grafana } from './model.ts';

const FILES = new URL('../helm/bac-hub/files/', import.meta.url);
const ROOT = new URL('../../', import.meta.url);
const read = (path: string, base = FILES): string => readFileSync(new URL(path, base), 'utf8');

test('the dashboards in the chart are the ones written here (`node deploy/monitoring/write.ts`)', () => {
  expect(readdirSync(new URL('dashboards', FILES)).sort()).toEqual(DASHBOARDS.map(({ file }) => file).sort());
  for (const dashboard of DASHBOARDS)
    expect(JSON.parse(read(`dashboards/${dashboard.file}`))).toEqual(grafana(dashboard));
});

test('panels lie beside and below each other, none over another', () => {
  for (const dashboard of DASHBOARDS) {
    const { panels } = grafana(dashboard) as {
      panels: { title: string; gridPos: { x: number; y: number; w: number; h: number } }[];
    };
    const taken = new Map<string, string>();
    for (const { title, gridPos } of panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(taken.get(`${x},${y}`), `${title} over another`).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
    }
  }
});

test('every alert says how grave it is and links to its own heading of the runbook, and every heading is an alert', () => {
  const { groups } = parse(read('alerts.yaml')) as {
    groups: {
      rules: {
        alert: string;
        labels: { severity: string };
        annotations: { summary: string; runbook: string };
      }[];
    }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  const headings = [...read('docs/deployment.md', ROOT).matchAll(/^### (Bac\w+)$/gm)].map(
    ([, name]) => name!,
  );
  expect(headings.sort()).toEqual(rules.map((rule) => rule.alert).sort());
  for (const { alert, labels, annotations } of rules) {
    expect(['warning', 'critical']).toContain(labels.severity);
    expect(annotations.summary).toMatch(/\.$/);
    expect(annotations.runbook).toBe(`docs/deployment.md#${alert.toLowerCase()}`);
  }
});

test('the list of other exporters’ metrics has nothing of the hub’s and nothing unused', () => {
  const text = `${read('alerts.yaml')}${DASHBOARDS.map(({ file }) => read(`dashboards/${file}`)).join('')}`;
  for (const name of FOREIGN) {
    expect(name).not.toMatch(/^bac_/);
    expect(text).toMatch(new RegExp(`\\b${name}\\b`));
  }
});
