import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { RoleUnit } from './role-process.ts';

const own = new Registry();

/** Prometheus text: what the roles of this process last said of themselves, and the supervisor's own figures. */
export async function renderFigures(roles: readonly RoleUnit[], version: string): Promise<string> {
  if (own.getMetricsAsArray().length === 0)
    collectDefaultMetrics({ register: own, prefix: 'bac_supervisor_' });
  const registry = new Registry();
  const gauges = new Map<string, Gauge>();
  const counters = new Map<string, Counter>();
  const gauge = (name: string, help: string): Gauge => {
    const known = gauges.get(name) ?? new Gauge({ name, help, labelNames: ['role'], registers: [registry] });
    gauges.set(name, known);
    return known;
  };
  const counter = (name: string, help: string): Counter => {
    const known =
      counters.get(name) ?? new Counter({ name, help, labelNames: ['role'], registers: [registry] });
    counters.set(name, known);
    return known;
  };
  new Gauge({
    name: 'bac_process_info',
    help: 'Version of this process',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
  for (const { name: role, unit } of roles) {
    const running = unit.current();
    gauge('bac_role_running', 'Whether the role’s process runs').set({ role }, running ? 1 : 0);
    counter('bac_role_restarts_total', 'Times the role was started again').inc(
      { role },
      unit.status().restarts,
    );
    for (const figure of running?.latest().figures ?? []) {
      if (figure.type === 'counter') counter(figure.name, figure.help).inc({ role }, figure.value);
      else gauge(figure.name, figure.help).set({ role }, figure.value);
    }
  }
  return `${await registry.metrics()}\n${await own.metrics()}`;
}
