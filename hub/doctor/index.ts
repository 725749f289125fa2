export { runDoctor } from './doctor.ts';
export { checkEnvironment } from './environment.ts';
export { ensureProbeTable } from './probe.ts';
export type { Finding } from './types.ts';
