export * from './change-log.ts';
