import { BoundedCache } from '../results/index.ts';
import { formOf, type Template, templateOf } from './forms.ts';
import type { Plan, Planner, Refusal } from './planner/index.ts';
import type { Range } from './ranges.ts';

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Plans by the model and the form of the question: asked again, with other values or after its tables have changed,
 * it is not planned again, unless its relative ranges mean other days by then.
 */
export class Plans {
  readonly #known = new BoundedCache<Template | null>(MAX_BYTES);
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
    const under = (text: unknown): string => `${model} ${queryType ?? ''} ${JSON.stringify(text)}`;
    const plan = async (asked: unknown): Promise<{ text: string; made: Plan | Refusal }> => {
      this.#made += 1;
      const text = await planner.call('plan', model, asked, queryType);
      return { text, made: JSON.parse(text) as Plan | Refusal };
    };
    const form = formOf(query);
    const key = under(form.query);
    const known = this.#known.get(key);
    if (known && (await meanTheSame(planner, known.ranges!))) return known.with(form.values);
    if (known !== null && form.values.length > 0) {
      const { text, made } = await plan(form.query);
      const template = 'parts' in made ? templateOf(text, made, form) : null;
      if (template?.ranges !== null) this.#keep(key, template);
      if (template) return template.with(form.values);
    }
    const own = under(query);
    const mine = this.#known.get(own);
    if (mine && (await meanTheSame(planner, mine.ranges!))) return mine.with([]);
    const { text, made } = await plan(query);
    if ('parts' in made && made.ranges) this.#keep(own, templateOf(text, made, { query, values: [] }));
    return made;
  }

  /** Null: questions of this form are planned one by one. */
  #keep(key: string, template: Template | null): void {
    this.#known.set(key, template, 2 * (template?.size ?? 0));
  }
}

export async function meanTheSame(planner: Planner, ranges: readonly Range[]): Promise<boolean> {
  if (ranges.length === 0) return true;
  const now = await planner.call('resolve', ranges);
  return ranges.every(({ resolved }, index) => now[index] === resolved);
}
