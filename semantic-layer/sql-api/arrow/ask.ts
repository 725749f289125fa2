import { HubError, userError } from '#kernel';
import { parse } from '../compile/ast.ts';
import { modelOf } from '../compile/relation.ts';
import { refused, SqlError } from '../errors.ts';
import { type RunContext, runReading } from '../run/statement.ts';
import { destination } from '../session/route.ts';
import type { Value } from '../wire/values.ts';
import { arrowStream } from './stream.ts';

export type Parameter = string | number | boolean | null;

/**
 * One SELECT over cubes and views, answered in Arrow's streaming format; `$1` ... take `parameters`. What can go
 * wrong before the first row rejects; what goes wrong later ends the stream with its error.
 * Errors (user): QUERY_INVALID, QUERY_TOO_LARGE; HubError of the semantic layer.
 */
export async function askArrow(
  sql: string,
  parameters: readonly Parameter[],
  context: RunContext,
  signal: AbortSignal,
): Promise<AsyncGenerator<Buffer>> {
  try {
    const statements = await parse(sql);
    const [statement] = statements;
    if (!statement || statements.length > 1 || !('SelectStmt' in statement.node))
      throw refused('One SELECT is taken at a time.', 'SELECT ..., MEASURE(...) FROM view GROUP BY ...');
    const model = modelOf(await context.layer.meta(context.principal));
    if (destination(statement.node, model) === 'catalogue')
      throw refused('The catalogue is not served as Arrow.', 'Ask GET /cubejs-api/v1/meta, or port 7433.');
    const values = parameters.map((value): Value => (value === null ? null : String(value)));
    const stream = arrowStream(
      await runReading(statement.node, [], values, context, signal, (connection, compiled) =>
        connection.chunks(compiled.sql, signal),
      ),
    );
    // The schema is made when the engine has accepted the statement, so its errors are known by then.
    const first = await stream.next();
    return resumed(first, stream);
  } catch (error) {
    throw error instanceof SqlError ? toHub(error) : error;
  }
}

async function* resumed(
  first: IteratorResult<Buffer, void>,
  rest: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer> {
  if (!first.done) yield first.value;
  yield* rest;
}

const TOO_LARGE = new Set(['54000', '53200']);

function toHub(error: SqlError): HubError {
  if (error.cause instanceof HubError) return error.cause;
  const code = TOO_LARGE.has(error.sqlstate) ? 'QUERY_TOO_LARGE' : 'QUERY_INVALID';
  return userError(code, error.message, error.hint ?? 'docs/sql-api.md lists what is served.', error);
}
