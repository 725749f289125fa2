import type { TopicInfo } from '#kernel';
import {
  counter,
  decodeExtent,
  type Extent,
  partitionOfKey,
  type Store,
  type TopicRow,
  topicOfKey,
} from './store.ts';

export interface Catalog {
  /** By name, in the order of names; parsed again only after a change. */
  topics(): ReadonlyMap<string, TopicRow>;
  list(prefix: string): TopicInfo[];
}

export function openCatalog(store: Store): Catalog {
  let seen = -1;
  let rows: ReadonlyMap<string, TopicRow> = new Map();
  const topics = (): ReadonlyMap<string, TopicRow> => {
    const version = counter(store, 'catalog');
    if (version !== seen) {
      rows = new Map([...store.topics.getRange({})].map(({ key, value }) => [key, value]));
      seen = version;
    }
    return rows;
  };
  return {
    topics,
    list(prefix) {
      const all = topics();
      const extents = new Map<number, Extent[]>();
      for (const { key, value } of store.extents.getRange({})) {
        const id = topicOfKey(key);
        const known = extents.get(id);
        const extent = decodeExtent(value);
        if (known === undefined) {
          const list: Extent[] = [];
          list[partitionOfKey(key)] = extent;
          extents.set(id, list);
        } else known[partitionOfKey(key)] = extent;
      }
      const result: TopicInfo[] = [];
      for (const [topic, { id, ...config }] of all) {
        if (!topic.startsWith(prefix)) continue;
        const known = extents.get(id);
        result.push({
          topic,
          ...config,
          extents: Array.from(
            { length: config.partitions },
            (_, partition) => known?.[partition] ?? { start: 0, end: 0, bytes: 0 },
          ),
        });
      }
      return result;
    },
  };
}
