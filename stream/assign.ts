/** One partition to be assigned: who may have it, and who has it so far. */
export interface Assignable {
  readonly candidates: readonly string[];
  readonly current: string | null;
}

/**
 * Whom each partition goes to (null: nobody may have it). Deterministic in its input; members that may
 * have the same partitions get equal shares, give or take one; a partition moves only where balance asks for it.
 */
export function assign(partitions: readonly Assignable[]): (string | null)[] {
  const load = new Map<string, number>();
  for (const { candidates } of partitions) for (const member of candidates) load.set(member, 0);
  const add = (member: string, by: number): void => {
    load.set(member, (load.get(member) ?? 0) + by);
  };
  const least = (candidates: readonly string[]): string =>
    candidates.reduce((best, member) => (load.get(member)! < load.get(best)! ? member : best));

  const result = partitions.map(({ candidates, current }) => {
    if (current === null || !candidates.includes(current)) return null;
    add(current, 1);
    return current;
  });
  for (const [index, { candidates }] of partitions.entries()) {
    if (result[index] !== null || candidates.length === 0) continue;
    const member = least(candidates);
    result[index] = member;
    add(member, 1);
  }
  const move = (fromTheMostLoadedOnly: boolean): boolean => {
    let moved = false;
    for (const [index, { candidates }] of partitions.entries()) {
      const from = result[index];
      if (from === null || from === undefined) continue;
      const load0 = load.get(from)!;
      if (fromTheMostLoadedOnly && candidates.some((member) => load.get(member)! > load0)) continue;
      const to = least(candidates);
      if (load0 - load.get(to)! < 2) continue;
      result[index] = to;
      add(from, -1);
      add(to, 1);
      moved = true;
    }
    return moved;
  };
  // Every move narrows a difference of two or more, so this ends.
  while (move(true) || move(false));
  return result;
}
