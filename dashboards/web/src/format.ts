/** A figure and its unit, apart, so that the unit can be set smaller. */
export interface Quantity {
  readonly value: string;
  readonly unit: string;
}

const NONE: Quantity = { value: '–', unit: '' };
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

export function duration(ms: number | null): Quantity {
  if (ms === null) return NONE;
  if (ms < 1000) return { value: whole.format(ms), unit: 'ms' };
  if (ms < 10_000) return { value: (ms / 1000).toFixed(1), unit: 's' };
  if (ms < 120_000) return { value: whole.format(ms / 1000), unit: 's' };
  if (ms < 7_200_000) return { value: whole.format(ms / 60_000), unit: 'min' };
  if (ms < 172_800_000) return { value: (ms / 3_600_000).toFixed(1), unit: 'h' };
  return { value: whole.format(ms / 86_400_000), unit: 'days' };
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(count: number | null): Quantity {
  if (count === null) return NONE;
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return { value: unit === 0 || value >= 100 ? whole.format(value) : value.toFixed(1), unit: UNITS[unit]! };
}

export function rate(perSecond: number | null): Quantity {
  if (perSecond === null) return NONE;
  if (perSecond > 0 && perSecond < 9.95) return { value: perSecond.toFixed(1), unit: '/s' };
  return { value: perSecond < 100_000 ? whole.format(perSecond) : short.format(perSecond), unit: '/s' };
}

export const count = (value: number | null): string => (value === null ? '–' : whole.format(value));
export const compact = (value: number | null): string =>
  value === null ? '–' : value < 100_000 ? whole.format(value) : short.format(value);
export const text = ({ value, unit }: Quantity): string => (unit ? `${value} ${unit}` : value);

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const stamp = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
export const timeOfDay = (iso: string): string => clock.format(new Date(iso));
export const dateTime = (iso: string): string => stamp.format(new Date(iso));

/** How good a freshness is: within 2 s live, within 30 s late, else stale. */
export type Tone = 'good' | 'warn' | 'bad' | 'none';
export const freshTone = (ms: number | null): Tone =>
  ms === null ? 'none' : ms < 2_000 ? 'good' : ms < 30_000 ? 'warn' : 'bad';
