export { type Exported, exportRecords } from './export.ts';
export { FORMAT_NAMES, type FormatName } from './formats.ts';
export {
  assertImportable,
  type ImportOptions,
  type ImportProblem,
  type ImportReport,
  importRecords,
} from './import.ts';
