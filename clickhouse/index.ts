export { createWarehouse, type WarehouseOptions } from './client/index.ts';
export {
  type EmbeddedClickHouse,
  type EmbeddedClickHouseOptions,
  startEmbeddedClickHouse,
} from './embedded/index.ts';
export { migrateWarehouse } from './schema/index.ts';
export {
  createSink,
  type DeadLetterFilter,
  discardDeadLetters,
  replayDeadLetters,
  type Sink,
  type SinkOptions,
  type SinkStats,
  type SinkTableStats,
} from './sink/index.ts';
export { createSnapshotTarget, type SnapshotTargetOptions } from './snapshot/index.ts';
export { canBeOdd, warehouseType, warehouseTypeOf } from './types/index.ts';
