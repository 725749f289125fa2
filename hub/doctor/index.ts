export { type DoctorOptions, runDoctor } from './doctor.ts';
export { checkEnvironment } from './environment.ts';
export { ensureProbeTable, PROBE_SCHEMA, PROBE_TABLE } from './probe.ts';
export type { Check, Finding, Hop } from './types.ts';
