export * from './generate/index.ts';
export { readModelFiles, readModelTests, SHIPPED_MODEL } from './model/index.ts';
