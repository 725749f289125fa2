export { createStatusCollector, SINK_GROUP, type StatusCollector, type StatusOptions } from './collector.ts';
export { formatBytes, formatCount, formatDuration, formatRate } from './format.ts';
export { hidePassword, type RoleStats, roleStatsSchema } from './read-state.ts';
export { columns, statusText } from './text.ts';
export type * from './types.ts';
