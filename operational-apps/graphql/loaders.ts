import DataLoader from 'dataloader';
import type { ListQuery, Page, RecordRow, Records, Selection } from '../runtime/types.ts';

type RelatedQuery = Pick<ListQuery, 'first' | 'sort' | 'filter' | 'select'>;

/** Most ids of one query; larger batches are split. */
const MAX_BATCH = 500;

/**
 * One request's batches: however many rows ask for what they point to, each entity is read once per level
 * and selection. Lives as long as the request and acts for its principal only.
 */
export class Loaders {
  readonly #records: Records;
  readonly #one = new Map<string, DataLoader<string, RecordRow | null>>();
  readonly #many = new Map<string, DataLoader<string, Page>>();

  constructor(records: Records) {
    this.#records = records;
  }

  one(entity: string, id: string, select: Selection): Promise<RecordRow | null> {
    const loader = known(
      this.#one,
      `${entity} ${selectionKey(select)}`,
      () =>
        new DataLoader<string, RecordRow | null>(
          async (ids) => [...(await this.#records.getMany(entity, ids, select))],
          { maxBatchSize: MAX_BATCH },
        ),
    );
    return loader.load(id);
  }

  related(entity: string, field: string, id: string, query: RelatedQuery): Promise<Page> {
    const loader = known(
      this.#many,
      `${entity} ${field} ${JSON.stringify(query)}`,
      () =>
        new DataLoader<string, Page>(
          async (ids) => {
            const pages = await this.#records.related(entity, field, ids, query);
            return ids.map((one) => pages.get(one) ?? { rows: [], hasMore: false });
          },
          { maxBatchSize: MAX_BATCH },
        ),
    );
    return loader.load(id);
  }
}

/** A selection in words, made once for each object. */
function selectionKey(select: Selection): string {
  let key = keys.get(select);
  if (key === undefined) {
    key = JSON.stringify(select);
    keys.set(select, key);
  }
  return key;
}

const keys = new WeakMap<Selection, string>();

function known<T>(map: Map<string, T>, key: string, make: () => T): T {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
  }
  return found;
}
