import type { Pool } from 'pg';
import type { Principal } from '#kernel';
import { principalOfKey } from './keys.ts';
import { RememberedKeys } from './remembered.ts';

/** Principals of API keys given as a password, looked up at most once a second for each. */
export function principalOfPassword(pool: Pool): (key: string) => Promise<Principal | null> {
  const remembered = new RememberedKeys();
  return async (key) =>
    (await remembered.key(key, async () => (await principalOfKey(pool, key))?.principal ?? null))
      ?.principal ?? null;
}
