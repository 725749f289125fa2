export { type CheckInput, type CheckReport, checkModel } from './check.ts';
export type { Finding } from './findings.ts';
export { compareRows } from './metric-tests.ts';
