export { createWarehouse, type WarehouseOptions } from './warehouse.ts';
