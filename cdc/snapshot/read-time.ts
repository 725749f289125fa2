import { setTimeout as delay } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import type { SourceProfile } from '../catalog/index.ts';
import type { Sessions } from './sessions.ts';

/** Clocks pass a moment without telling. */
const POLL_MS = 50;

/**
 * Sees to it that a range is not read as of a moment before the slot's position (SourceProfile.readTime):
 * takes the range's transaction to such a moment if the user may, else waits until every clock is past it.
 *
 * Each range has a moment of its own, as late as can be: one moment for the whole table would be older
 * than the server keeps history for (15 minutes on YugabyteDB) before a large table is read, and brings
 * nothing, since a row stays under its key and later changes override it.
 */
export function afterSlot(
  { readTime }: SourceProfile,
  slot: string,
  sessions: Sessions,
  signal: AbortSignal,
): (client: PoolClient) => Promise<void> {
  // The position of the first look: it moves on with the stream, behind the present for ever.
  let position: string | null = null;
  return async (client) => {
    if (readTime === null) return;
    for (;;) {
      // Not in the range's own transaction: its first query would fix what it reads.
      const { rows } = await sessions.use(
        (other) =>
          other.query<{ position: string; moment: string; settable: boolean | null; passed: boolean | null }>(
            readTime.at,
            [slot, position],
          ),
        signal,
      );
      const [at] = rows;
      position ??= at?.position ?? null;
      if (at?.settable) await client.query(readTime.join(at.moment));
      if (!at || at.settable || at.passed) return;
      await delay(POLL_MS, undefined, { signal });
    }
  };
}
