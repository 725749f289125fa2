import type { Principal } from '#kernel';
import type { ChangeFeed } from '../changes/index.ts';
import type { Records } from '../runtime/types.ts';
import type { Loaders } from './loaders.ts';

/** What the resolvers of one request share. */
export interface GraphqlContext {
  readonly principal: Principal;
  readonly records: Records;
  readonly loaders: Loaders;
  readonly feed: ChangeFeed;
}
