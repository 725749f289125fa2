import type { Freshness, Principal, SemanticLayer, SemanticResult } from '#kernel';
import type { Node } from '../compile/ast.ts';
import { modelOf } from '../compile/relation.ts';
import { type Compiled, compile } from '../compile/statement.ts';
import { cancelled, SqlError } from '../errors.ts';
import type { SqlType } from '../types.ts';
import type { Value } from '../wire/values.ts';
import type { Engine, EngineConnection } from './engine.ts';
import { fill, queryOf } from './load.ts';

export interface RunContext {
  readonly layer: SemanticLayer;
  readonly engine: Engine;
  readonly principal: Principal;
  /** Rows loaded for one statement; more are refused. */
  readonly maxRows: number;
}

export interface Answer<Row = Value[]> {
  readonly columns: Compiled['columns'];
  readonly rows: AsyncGenerator<Row>;
  readonly freshness:
    | (Freshness & {
        readonly cached: boolean;
        readonly tables: readonly string[];
        readonly rollups: readonly string[];
      })
    | null;
}

/** How a statement's result is read from the engine. */
type Reader<Row> = (
  connection: EngineConnection,
  compiled: Compiled,
  signal: AbortSignal,
) => AsyncGenerator<Row>;

const MOST_PASSES = 3;
const moment = (): string => new Date().toISOString().replace('T', ' ').replace('Z', '');

/** Names and types of a statement's columns and parameters, without running it. */
export async function describe(
  node: Node,
  types: readonly (SqlType | undefined)[],
  context: RunContext,
): Promise<Compiled> {
  const model = modelOf(await context.layer.meta(context.principal));
  return compile(node, {
    model,
    types,
    values: null,
    now: moment(),
    user: context.principal.user,
    known: new Map(),
  });
}

/**
 * Loads what the statement needs from the semantic layer and runs the rest over it. The rows come as they
 * are read; ending the generator frees everything.
 * Errors: SqlError; HubError of the semantic layer.
 */
export const run = (
  node: Node,
  types: readonly (SqlType | undefined)[],
  values: readonly Value[],
  context: RunContext,
  signal: AbortSignal,
): Promise<Answer> =>
  runReading(node, types, values, context, signal, (connection, { sql, columns }) =>
    connection.rows(
      sql,
      columns.map((column) => column.type),
      signal,
    ),
  );

/** The same for whoever reads the engine's result in another way. */
export async function runReading<Row>(
  node: Node,
  types: readonly (SqlType | undefined)[],
  values: readonly Value[],
  context: RunContext,
  signal: AbortSignal,
  read: Reader<Row>,
): Promise<Answer<Row>> {
  const { layer, principal, engine } = context;
  const model = modelOf(await layer.meta(principal));
  const connection = await engine.connect();
  try {
    const now = moment();
    const known = new Map<string, string | null>();
    const pass = (): Compiled => compile(node, { model, types, values, now, user: principal.user, known });
    let compiled = pass();
    for (let passes = 1; compiled.constants.length > 0; passes += 1) {
      if (passes > MOST_PASSES) throw new SqlError('54001', 'the statement is too complex');
      for (const sql of compiled.constants) known.set(sql, await single(connection, sql, signal));
      compiled = pass();
    }
    const results: SemanticResult[] = [];
    let left = context.maxRows;
    for (const governed of compiled.loads) {
      const result = await layer.load(principal, queryOf(governed), { maxRows: left, signal });
      if (signal.aborted) throw cancelled();
      left -= result.rows.length;
      if (left < 0) throw tooLarge(context.maxRows);
      await fill(connection, governed, result);
      results.push(result);
    }
    const rows = read(connection, compiled, signal);
    return { columns: compiled.columns, rows: closing(rows, connection), freshness: together(results) };
  } catch (error) {
    connection.close();
    throw signal.aborted ? cancelled() : error;
  }
}

const tooLarge = (rows: number): SqlError =>
  new SqlError('54000', `The statement needs more than ${rows} rows (QUERY_TOO_LARGE).`, {
    hint: 'Filter it, or let the semantic layer group: SELECT ..., MEASURE(...) ... GROUP BY ...',
  });

async function single(
  connection: EngineConnection,
  sql: string,
  signal: AbortSignal,
): Promise<string | null> {
  for await (const row of connection.rows(`SELECT ${sql}`, ['text'], signal)) return row[0] ?? null;
  return null;
}

async function* closing<Row>(rows: AsyncGenerator<Row>, connection: EngineConnection): AsyncGenerator<Row> {
  try {
    yield* rows;
  } finally {
    connection.close();
  }
}

/** The state of the least fresh part. */
function together(results: readonly SemanticResult[]): Answer['freshness'] {
  if (results.length === 0) return null;
  const moments = results.map((result) => result.freshness.completeUpTo);
  return {
    completeUpTo: moments.includes(null) ? null : ((moments as string[]).toSorted()[0] ?? null),
    cached: results.every((result) => result.cached),
    tables: [...new Set(results.flatMap((result) => result.tables))],
    rollups: [...new Set(results.flatMap((result) => result.rollups ?? []))],
  };
}
