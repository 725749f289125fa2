export { describeEntities } from './entities.ts';
export {
  createWarehouseAccess,
  type Unreadable,
  type WarehouseAccess,
  type WarehouseAccessOptions,
} from './profiles.ts';
