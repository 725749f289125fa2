export { BoundedCache } from './cache.ts';
export type { TableClock } from './clock.ts';
export { type Admit, type Outcome, Runner, type Statement } from './runner.ts';
