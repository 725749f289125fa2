import { DAY } from './calendar.ts';
import type { World } from './world.ts';

/**
 * What is still to come in a tenant's history. Orders are decided as a whole when they are placed, but
 * documents are numbered in the order in which they come about: each is put down here for its moment.
 */
export interface Agenda {
  /** At a moment after the day under way, or on it. What lies beyond the history never comes. */
  at(moment: number, run: () => void): void;
  /** Does what was put down for days up to this one (of the history), in order of time. */
  close(day: number): void;
}

export function createAgenda(world: World): Agenda {
  const days = new Map<number, { moment: number; run: () => void }[]>();
  let next = 0;
  return {
    at(moment, run) {
      if (moment >= world.until) return;
      const day = Math.max(next, Math.floor((moment - world.start) / DAY));
      const list = days.get(day);
      if (list) list.push({ moment, run });
      else days.set(day, [{ moment, run }]);
    },
    close(last) {
      for (; next <= last; next += 1) {
        // Something done may put down more for the same day: it comes after the rest.
        for (let list = days.get(next); list; list = days.get(next)) {
          days.delete(next);
          list.sort((a, b) => a.moment - b.moment);
          for (const { run } of list) run();
        }
      }
    },
  };
}
