import type { ConsumeOptions } from '#kernel';

/** A topic's exact name, or what names begin with. */
export type TopicPattern = ConsumeOptions['topics'][number];

export const matches = (topic: string, patterns: readonly TopicPattern[]): boolean =>
  patterns.some((pattern) =>
    typeof pattern === 'string' ? pattern === topic : topic.startsWith(pattern.prefix),
  );
