import type { Pool } from 'pg';
import { type Logger, systemPrincipal, toHubError, type Warehouse } from '#kernel';
import { type CubeLayer, type Model, proposalYaml, propose } from '#semantic';
import { readQuestions } from './questions.ts';

export interface Advice {
  /** With questions. */
  readonly days: number;
  readonly questions: number;
  readonly proposals: readonly {
    /** `cube.name`. */
    readonly name: string;
    readonly yaml: string;
    readonly questionsPerDay: number;
    readonly rowsReadPerDay: number;
    /** Of the roll-up; null: it could not be counted in time. */
    readonly rows: number | null;
  }[];
}

export interface AdviseOptions {
  readonly pool: Pool;
  readonly warehouse: Warehouse;
  readonly logger: Logger;
  readonly layer: CubeLayer;
  readonly model: Model;
}

const MOST_PROPOSALS = 5;
const COUNT_SECONDS = 30;
/** A roll-up that saves less than this share of its rows is none. */
const LEAST_GAIN = 5;

/** Roll-ups that would have answered what was asked and read from tables, with what each would save. */
export async function adviseRollups({
  pool,
  warehouse,
  logger,
  layer,
  model,
}: AdviseOptions): Promise<Advice> {
  const { days, questions, asked } = await readQuestions(pool);
  const proposals: Advice['proposals'][number][] = [];
  for (const one of propose(model, asked).slice(0, MOST_PROPOSALS)) {
    const { cube, name, questionsPerDay, rowsReadPerDay } = one;
    let rows: number | null = null;
    try {
      const { sql, params } = await layer.sql(systemPrincipal('model advise'), {
        ...one.question,
        limit: 1_000_000,
      });
      const [counted] = await warehouse.query<{ rows: string }>(`SELECT count() AS rows FROM (${sql})`, {
        params,
        settings: { readonly: 1, max_execution_time: COUNT_SECONDS },
      });
      rows = Number(counted!.rows);
    } catch (thrown) {
      logger.info({ err: toHubError(thrown) }, 'rows of a proposed roll-up could not be counted');
    }
    if (rows !== null && rows * questionsPerDay * LEAST_GAIN > rowsReadPerDay) continue;
    proposals.push({
      name: `${cube}.${name}`,
      yaml: proposalYaml(one),
      questionsPerDay,
      rowsReadPerDay,
      rows,
    });
  }
  return { days, questions, proposals };
}
