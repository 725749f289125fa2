import { writeFileSync } from 'node:fs';
import { DASHBOARDS } from './dashboards.ts';
import { grafana } from './model.ts';

/** `node deploy/monitoring/write.ts`: writes the dashboards where compose and the chart take them from. */
const FOLDER = new URL('../helm/bac-hub/files/dashboards/', import.meta.url);
for (const dashboard of DASHBOARDS)
  writeFileSync(new URL(dashboard.file, FOLDER), `${JSON.stringify(grafana(dashboard), null, 2)}\n`);
