export { ensureNative, type NativeExports } from './substitute.ts';
export { type Columns, type Transform, transformData } from './transform.ts';
