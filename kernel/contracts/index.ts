export * from './change-log.ts';
export { type OpenedWarehouse, warehouseContract } from './warehouse.ts';
