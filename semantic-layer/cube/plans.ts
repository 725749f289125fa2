import { BoundedCache } from '../results/index.ts';
import type { Plan, Planner, Refusal } from './planner/index.ts';
import type { Range } from './ranges.ts';

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Plans by the model and the very question: asked again after its tables have changed, it is not planned again, unless
 * its relative ranges mean other days by then.
 */
export class Plans {
  readonly #known = new BoundedCache<Plan>(MAX_BYTES);
  #made = 0;

  get made(): number {
    return this.#made;
  }

  async of(
    planner: Planner,
    model: string,
    query: unknown,
    queryType: string | undefined,
  ): Promise<Plan | Refusal> {
    const key = `${model} ${queryType ?? ''} ${JSON.stringify(query)}`;
    const known = this.#known.get(key);
    if (known && (await meanTheSame(planner, known.ranges!))) return known;
    this.#made += 1;
    const plan = await planner.call('plan', model, query, queryType);
    if ('parts' in plan && plan.ranges) this.#known.set(key, plan, plan.size * 2);
    return plan;
  }
}

export async function meanTheSame(planner: Planner, ranges: readonly Range[]): Promise<boolean> {
  if (ranges.length === 0) return true;
  const now = await planner.call('resolve', ranges);
  return ranges.every(({ resolved }, index) => now[index] === resolved);
}
