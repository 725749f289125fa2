export { createStatusCollector, type StatusCollector } from './collector.ts';
export { formatBytes, formatCount, formatDuration } from './format.ts';
export { columns, statusText } from './text.ts';
export type * from './types.ts';
