import { refusal } from '../engine/index.ts';
import type { Statement } from '../sql/statement.ts';
import { runInsert, runInsertInput, runInsertWithParams } from './insert.ts';
import { endOnAbort, type Input, type Run, sendWhole } from './run.ts';
import { runSelect } from './select.ts';

export { SPOOLED_BYTES } from './insert.ts';
export type { Input, Run } from './run.ts';

/** Runs a statement and sends its result. Rejects with the engine's exception. */
export async function runStatement(run: Run, statement: Statement, input: Input): Promise<void> {
  if (statement.kind === 'insert') {
    const bound = run.params.size > 0 && statement.format === 'Values';
    return bound ? runInsertWithParams(run, statement, input) : runInsert(run, statement, input);
  }
  if (statement.kind === 'insert-input') return runInsertInput(run, statement, input);
  if (run.readonly || statement.sql.includes(';')) await refuse(run, statement.sql);
  if (statement.kind === 'select') return runSelect(run, statement);
  const outcome = await endOnAbort(run, run.connection.run(statement.sql, run.defaultFormat, run.params));
  await sendWhole(run, statement.format ?? run.defaultFormat, outcome);
}

/**
 * The lexer here has found one statement; the engine's parser must agree before it gets the text. The engine
 * refuses writes of a read-only account by itself, but not all that reaches beyond its tables.
 */
async function refuse(run: Run, sql: string): Promise<void> {
  const { statements, readOnly } = await run.connection.analyze(sql);
  if (statements > 1) throw refusal(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed');
  if (run.readonly && statements === 1 && !readOnly) {
    throw refusal(164, 'READONLY', 'Cannot execute query in readonly mode');
  }
}
