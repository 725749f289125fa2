export { ensureNative, type NativeExports } from './substitute.ts';
export { type Columns, pivotQuery, type QueryType, type Transform, transformData } from './transform.ts';
