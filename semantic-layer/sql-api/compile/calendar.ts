/** Moments as `YYYY-MM-DDTHH:MM:SS.mmm` in UTC. */
const text = (at: Date): string => at.toISOString().slice(0, 23);
const date = (moment: string): Date => new Date(`${moment}Z`);

/** The moment cut to a granularity, as date_trunc does. */
export function truncated(moment: string, granularity: string): string {
  const at = date(moment);
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()];
  switch (granularity) {
    case 'year':
      return text(new Date(Date.UTC(year, 0, 1)));
    case 'quarter':
      return text(new Date(Date.UTC(year, month - (month % 3), 1)));
    case 'month':
      return text(new Date(Date.UTC(year, month, 1)));
    case 'week':
      return text(new Date(Date.UTC(year, month, day - ((at.getUTCDay() + 6) % 7))));
    case 'day':
      return text(new Date(Date.UTC(year, month, day)));
    default:
      return text(new Date(Math.floor(at.getTime() / WIDTH[granularity]!) * WIDTH[granularity]!));
  }
}

const WIDTH: Readonly<Record<string, number>> = { second: 1000, minute: 60_000, hour: 3_600_000 };

/** The beginning of the next interval. */
export function step(moment: string, granularity: string): string {
  const at = date(moment);
  if (granularity === 'year') at.setUTCFullYear(at.getUTCFullYear() + 1);
  else if (granularity === 'quarter') at.setUTCMonth(at.getUTCMonth() + 3);
  else if (granularity === 'month') at.setUTCMonth(at.getUTCMonth() + 1);
  else if (granularity === 'week') at.setUTCDate(at.getUTCDate() + 7);
  else if (granularity === 'day') at.setUTCDate(at.getUTCDate() + 1);
  else return text(new Date(at.getTime() + WIDTH[granularity]!));
  return text(at);
}
