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

const ROUNDS = 5;

/**
 * Tells real differences from changes on their way. Each round reads the rows at the source, waits
 * until the warehouse has everything committed by then, reads them there, and reads the source again:
 * a row that was the same version both times and differs in the warehouse really differs. Where the
 * version of a row cannot be told (it is absent, or the server does not say), two rounds must agree.
 */
export async function settle(
  suspects: readonly Suspect[],
  source: Side,
  warehouse: Side,
  catchUp: () => Promise<boolean>,
): Promise<Settled> {
  const different: Suspect[] = [];
  const before = new Set<string>();
  let open = suspects;
  for (let round = 0; round < ROUNDS && open.length > 0; round += 1) {
    const first = await source.rows(open);
    const caughtUp = await catchUp();
    const there = await warehouse.rows(open);
    const second = await source.rows(open);
    const next: Suspect[] = [];
    for (const suspect of open) {
      const [a, b] = [first.get(suspect.id), second.get(suspect.id)];
      if (!sameVersion(a, b)) next.push(suspect);
      else if (a?.hash === there.get(suspect.id)?.hash) continue;
      else if ((a && a.writer !== null) || before.has(suspect.id)) different.push(suspect);
      else {
        before.add(suspect.id);
        next.push(suspect);
      }
    }
    if (!caughtUp) return { different: [...different, ...next], changing: [], caughtUp };
    open = next;
  }
  return { different, changing: open, caughtUp: true };
}

const sameVersion = (a: RowDigest | undefined, b: RowDigest | undefined): boolean =>
  a === undefined ? b === undefined : b !== undefined && a.hash === b.hash && a.writer === b.writer;
