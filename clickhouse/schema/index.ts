export { migrateWarehouse } from './migrate.ts';
