export { createWarehouse, type WarehouseOptions } from './client/index.ts';
export {
  type EmbeddedClickHouse,
  type EmbeddedClickHouseOptions,
  startEmbeddedClickHouse,
} from './embedded/index.ts';
