export { NotInWarehouse, type OwnRow, type WarehouseScope } from './places.ts';
export { truthSql } from './truth.ts';
