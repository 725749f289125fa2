import type { RowDigest, Side } from './sides.ts';

/** A row that looked different. */
export type Suspect = Pick<RowDigest, 'id' | 'first'>;

export interface Settled {
  /** Different although the warehouse has all that the source had. */
  readonly different: readonly Suspect[];
  /** Never stood still long enough to be compared. */
  readonly changing: readonly Suspect[];
  /** False: the warehouse did not catch up in time, so `different` may only be late. */
  readonly caughtUp: boolean;
}

const ROUNDS = 6;

/**
 * Tells real differences from changes on their way. Each round reads the rows at the source, waits until the
 * warehouse has everything committed by then, reads them there, and reads the source again: one that stayed the same
 * at the source and is another in the warehouse differs, once further rounds have found the same on either side.
 * One round is not enough: a commit is in the stream a moment before the source shows it (taken to be shorter than a
 * round). Where the version of a row cannot be told (it is absent, or the server does not say) it takes a third:
 * it may have come and gone between the readings.
 */
export async function settle(
  suspects: readonly Suspect[],
  source: Pick<Side, 'rows'>,
  warehouse: Pick<Side, 'rows'>,
  catchUp: () => Promise<boolean>,
): Promise<Settled> {
  const different: Suspect[] = [];
  const seen = new Map<string, Finding>();
  let open = suspects;
  for (let round = 0; round < ROUNDS && open.length > 0; round += 1) {
    const first = await source.rows(open);
    const caughtUp = await catchUp();
    const there = await warehouse.rows(open);
    const second = await source.rows(open);
    const next: Suspect[] = [];
    for (const suspect of open) {
      const { id } = suspect;
      const [here, other] = [second.get(id), there.get(id)];
      const still = isSame(first.get(id), here);
      if (still && here?.hash === other?.hash) continue;
      const before = seen.get(id);
      const again = before && isSame(before.here, here) && isSame(before.other, other);
      const times = still ? 1 + (again ? before.times : 0) : 0;
      seen.set(id, { here, other, times });
      if (times >= (here?.version == null ? 3 : 2)) different.push(suspect);
      else next.push(suspect);
    }
    if (!caughtUp) return { different: [...different, ...next], changing: [], caughtUp };
    open = next;
  }
  return { different, changing: open, caughtUp: true };
}

/** What a round has found of a row, and in how many rounds running. */
interface Finding {
  readonly here: RowDigest | undefined;
  readonly other: RowDigest | undefined;
  readonly times: number;
}

const isSame = (a: RowDigest | undefined, b: RowDigest | undefined): boolean =>
  a === undefined ? b === undefined : b !== undefined && a.hash === b.hash && a.version === b.version;
