/** Times that buckets can have (buckets.ts), seconds since 1970; later rules of a zone repeat. */
const LAST = Date.UTC(2106, 0, 1) / 1000;
const WEEK = 7 * 86_400;

const SECONDS: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600 };
const known = new Map<string, number>();

/** The coarsest granularity of UTC whose bounds are bounds of the zone's days, too; null: not even minutes are. */
export function finestFor(zone: string): 'hour' | 'minute' | null {
  const grain = zoneGrain(zone);
  return grain % SECONDS.hour! === 0 ? 'hour' : grain % SECONDS.minute! === 0 ? 'minute' : null;
}

/** Whether each bucket of UTC lies within one hour, day ... of the zone, whenever. */
export function fitsZone(granularity: string, zone: string): boolean {
  if (zone === 'UTC') return true;
  const step = SECONDS[granularity];
  return step !== undefined && zoneGrain(zone) % step === 0;
}

/**
 * The greatest number of seconds of which the zone's offsets, and the moments at which they change, are multiples;
 * 0 for UTC. Source: the zones as Node's ICU has them; no zone changed twice within a week.
 */
function zoneGrain(zone: string): number {
  const before = known.get(zone);
  if (before !== undefined) return before;
  const offset = offsetsOf(zone);
  let grain = offset(0);
  for (let at = 0; at < LAST; at += WEEK) {
    const [from, to] = [offset(at), offset(at + WEEK)];
    grain = gcd(grain, to);
    if (from !== to) grain = gcd(grain, changeBetween(at, at + WEEK, offset));
  }
  known.set(zone, grain);
  return grain;
}

function changeBetween(early: number, late: number, offset: (at: number) => number): number {
  let [before, after] = [early, late];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offset(middle) === offset(early)) before = middle;
    else after = middle;
  }
  return after;
}

/** Seconds east of UTC at a time. */
function offsetsOf(zone: string): (at: number) => number {
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  return (at) => {
    const text = format.format(at * 1000);
    const [, sign, hours = '0', minutes = '0', seconds = '0'] =
      /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
  };
}

const gcd = (a: number, b: number): number => {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y > 0) [x, y] = [y, x % y];
  return x;
};
