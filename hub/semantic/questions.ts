import type { Pool } from 'pg';
import { type Logger, toHubError } from '#kernel';
import { type AskedShape, QuestionLog, type QuestionShape } from '#semantic';

/** Kept for so many days, and so many shapes of one day. */
export const QUESTION_DAYS = 14;
const MOST_A_DAY = 2_000;

/** Counts what is asked in `bac.questions`. */
export function openQuestionLog({
  pool,
  logger,
}: {
  readonly pool: Pool;
  readonly logger: Logger;
}): QuestionLog {
  return new QuestionLog(async (counts) => {
    try {
      await pool.query(
        `INSERT INTO bac.questions AS q (day, shape, question, asked, rows_read, milliseconds)
         SELECT current_date, shape, question::jsonb, asked, rows_read, milliseconds
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) AS n (shape, question, asked, rows_read, milliseconds)
         WHERE (SELECT count(*) FROM bac.questions WHERE day = current_date) < $6
         ON CONFLICT (day, shape) DO UPDATE SET asked = q.asked + excluded.asked,
           rows_read = q.rows_read + excluded.rows_read, milliseconds = q.milliseconds + excluded.milliseconds`,
        [
          counts.map(({ shape }) => shape),
          counts.map(({ question }) => JSON.stringify(question)),
          counts.map(({ asked }) => asked),
          counts.map(({ rowsRead }) => rowsRead),
          counts.map(({ milliseconds }) => Math.round(milliseconds)),
          MOST_A_DAY,
        ],
      );
      await pool.query('DELETE FROM bac.questions WHERE day < current_date - $1::integer', [QUESTION_DAYS]);
    } catch (thrown) {
      logger.warn({ err: toHubError(thrown) }, 'questions could not be counted');
    }
  });
}

/** What was asked, by shape; days without questions do not count. */
export async function readQuestions(
  pool: Pool,
): Promise<{ days: number; questions: number; asked: AskedShape[] }> {
  const { rows } = await pool.query<{
    question: QuestionShape;
    asked: string;
    rows_read: string;
    days: string;
  }>(
    `SELECT question, sum(asked) AS asked, sum(rows_read) AS rows_read, (SELECT count(DISTINCT day) FROM bac.questions) AS days
     FROM bac.questions GROUP BY shape, question ORDER BY sum(rows_read) DESC LIMIT 2000`,
  );
  const days = Number(rows[0]?.days ?? 0);
  return {
    days,
    questions: rows.reduce((sum, { asked }) => sum + Number(asked), 0),
    asked: rows.map(({ question, asked, rows_read }) => ({
      question,
      perDay: Number(asked) / days,
      rowsRead: Number(rows_read) / Number(asked),
    })),
  };
}
