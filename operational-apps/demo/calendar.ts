import { type Random, random } from './random.ts';
import type { CampaignPlan, Tenant } from './tenants.ts';

export const DAY = 86_400_000;
export const HISTORY_DAYS = 730;
export const HOUR = 3_600_000;

/** Midnight UTC of the fourth Friday of November, less four days: black week begins on its Monday. */
export function blackWeek(year: number): number {
  const first = Date.UTC(year, 10, 1);
  const friday = ((5 - new Date(first).getUTCDay() + 7) % 7) + 21;
  return first + (friday - 4) * DAY;
}

export interface CampaignRun {
  readonly plan: CampaignPlan;
  readonly year: number;
  /** First day and the day after the last, as days of the history; may lie partly outside of it. */
  readonly from: number;
  readonly to: number;
}

/** Every run of a tenant's campaigns that touches the history, in time order. */
export function campaignRuns(tenant: Tenant, start: number): CampaignRun[] {
  const years = [0, 1, 2].map((more) => new Date(start).getUTCFullYear() + more);
  return years
    .flatMap((year) =>
      tenant.campaigns.map((plan) => {
        const at =
          plan.start === 'black-week' ? blackWeek(year) : Date.UTC(year, plan.start[0] - 1, plan.start[1]);
        const from = Math.round((at - start) / DAY);
        return { plan, year, from, to: from + plan.days };
      }),
    )
    .filter((run) => run.to > 0 && run.from < HISTORY_DAYS)
    .sort((a, b) => a.from - b.from);
}

/** How busy a day is: growth x month x weekday x campaigns x chance. */
export function dayWeights(tenant: Tenant, start: number, seed: number): number[] {
  const chance = random(seed, `days/${tenant.id}`);
  const runs = campaignRuns(tenant, start);
  return Array.from({ length: HISTORY_DAYS }, (_, day) => {
    const date = new Date(start + day * DAY);
    const growth = tenant.growth ** (day / HISTORY_DAYS);
    const lift = runs.reduce((most, run) => Math.max(most, liftOn(run, day)), 1);
    return growth * month(tenant, date) * tenant.week[date.getUTCDay()]! * lift * chance.around(1, 0.06);
  });
}

/** A campaign peaks in its second half: black week on its Friday. */
function liftOn(run: CampaignRun, day: number): number {
  if (day < run.from || day >= run.to) return 1;
  const shape =
    run.plan.start === 'black-week' ? [0.55, 0.6, 0.65, 0.8, 1.5, 1.2, 1.1, 1.3][day - run.from]! : 1;
  return Math.max(1, run.plan.lift * shape);
}

/** Months blend into each other instead of jumping on the first. */
function month(tenant: Tenant, date: Date): number {
  const at = date.getUTCMonth() + (date.getUTCDate() - 15) / 30;
  const low = Math.floor(at);
  const part = at - low;
  return tenant.months[(low + 12) % 12]! * (1 - part) + tenant.months[(low + 13) % 12]! * part;
}

/** Whole numbers per day that sum to exactly `total`, in proportion to the weights. */
export function allot(weights: readonly number[], total: number): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  let run = 0;
  let given = 0;
  return weights.map((weight) => {
    run += weight;
    const next = Math.round((run / sum) * total);
    const share = next - given;
    given = next;
    return share;
  });
}

const HOURS = [
  0.5, 0.3, 0.2, 0.1, 0.1, 0.2, 0.5, 0.9, 1.3, 1.7, 2, 2.1, 2.1, 1.9, 1.8, 1.8, 1.9, 2.1, 2.4, 3, 3.4, 3.2,
  2.2, 1.1,
];
const HOUR_SUMS = HOURS.map((_, index) => HOURS.slice(0, index + 1).reduce((a, b) => a + b, 0));

/** A moment of a day, more likely in the tenant's evening. */
export function momentOf(day: number, start: number, utcOffset: number, random: Random): number {
  const hour = (random.weighted(HOUR_SUMS) - utcOffset + 24) % 24;
  return start + day * DAY + hour * HOUR + Math.floor(random.next() * HOUR);
}

/** A moment in office hours on the next working day from `at` on. */
export function officeTime(at: number, utcOffset: number, random: Random): number {
  let day = Math.floor(at / DAY);
  const weekday = new Date(day * DAY).getUTCDay();
  if (weekday === 6) day += 2;
  if (weekday === 0) day += 1;
  return day * DAY + (8 - utcOffset) * HOUR + Math.floor(random.next() * 9 * HOUR);
}
