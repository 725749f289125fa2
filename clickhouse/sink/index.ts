export { type DeadLetterFilter, discardDeadLetters, replayDeadLetters } from './dead-letters.ts';
export { createSink, type Sink, type SinkOptions } from './sink.ts';
export type { SinkStats, SinkTableStats } from './stats.ts';
