export { Bell } from './bell.ts';
export { BoundedCache } from './cache.ts';
export type { TableClock } from './clock.ts';
export { type Admit, type Outcome, Runner, type Shortcut, type Statement } from './runner.ts';
