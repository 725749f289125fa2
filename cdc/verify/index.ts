export type { ColumnDifference, Difference, TableOutcome, TableReport, VerifyReport } from './report.ts';
export { createVerifySchedule, type VerifySchedule } from './schedule.ts';
export { type VerifyOptions, verifyTables } from './verify.ts';
