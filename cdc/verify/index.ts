export type { ColumnDifference, Difference, TableOutcome, TableReport, VerifyReport } from './report.ts';
export { type VerifyOptions, verifyTables } from './verify.ts';
