import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBType,
} from '@duckdb/node-api';
import { cancelled, refused, SqlError } from '../errors.ts';
import type { SqlType } from '../types.ts';
import type { Value } from '../wire/values.ts';
import { printed } from './printed.ts';

const MEMORY = '1GB';

/**
 * What runs the part of a statement that the semantic layer does not: DuckDB in memory, without files
 * and network. It sees only tables that were filled for the one statement.
 */
export class Engine {
  readonly #instance: DuckDBInstance;
  private constructor(instance: DuckDBInstance) {
    this.#instance = instance;
  }

  static async open(): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', { memory_limit: MEMORY, threads: '2' });
    const connection = await instance.connect();
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    connection.closeSync();
    return new Engine(instance);
  }

  async connect(): Promise<EngineConnection> {
    return new EngineConnection(await this.#instance.connect());
  }

  close(): void {
    this.#instance.closeSync();
  }
}

export interface Chunk {
  readonly types: readonly DuckDBType[];
  readonly chunk: DuckDBDataChunk | null;
}

/** One statement's connection: its temporary tables end with it. */
export class EngineConnection {
  readonly raw: DuckDBConnection;
  #open = true;
  constructor(raw: DuckDBConnection) {
    this.raw = raw;
  }

  async run(sql: string): Promise<void> {
    await this.raw.run(sql);
  }

  /** Rows as the wire takes them, read as they are asked for. */
  async *rows(sql: string, types: readonly SqlType[], signal: AbortSignal): AsyncGenerator<Value[]> {
    for await (const { chunk } of this.chunks(sql, signal))
      for (const row of chunk?.getRows() ?? []) yield row.map((value, at) => printed(value, types[at]!));
  }

  /** The engine's own columns, read as they are asked for; first their types, without a chunk. */
  async *chunks(sql: string, signal: AbortSignal): AsyncGenerator<Chunk> {
    const interrupt = (): void => this.raw.interrupt();
    signal.addEventListener('abort', interrupt);
    try {
      const result = await this.raw.stream(sql);
      const types = result.columnTypes();
      yield { types, chunk: null };
      for await (const chunk of result) {
        if (signal.aborted) throw cancelled();
        yield { types, chunk };
      }
    } catch (error) {
      throw signal.aborted ? cancelled() : told(error);
    } finally {
      signal.removeEventListener('abort', interrupt);
    }
  }

  close(): void {
    if (this.#open) this.raw.closeSync();
    this.#open = false;
  }
}

/** The engine's error with PostgreSQL's state, where it has one. */
function told(error: unknown): Error {
  if (error instanceof SqlError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (/division by zero/.test(message)) return new SqlError('22012', 'division by zero');
  if (/More than one row returned by a subquery/.test(message))
    return new SqlError('21000', 'more than one row returned by a subquery used as an expression');
  if (/out of range|overflow/i.test(message))
    return new SqlError('22003', 'a number is out of range', { cause: error });
  if (/Conversion Error/.test(message))
    return new SqlError('22P02', 'a value cannot be cast to the type asked for', { cause: error });
  if (/Out of Memory/i.test(message))
    return new SqlError('53200', 'the statement needs more memory than it may have', {
      hint: 'Let the semantic layer group the rows: SELECT ..., MEASURE(...) ... GROUP BY ...',
      cause: error,
    });
  if (/logarithm|square root/.test(message))
    return new SqlError('2201F', 'argument out of range for the function');
  if (/Not implemented|Binder Error|Catalog Error|Parser Error/.test(message)) {
    const made = refused('The statement is of a form that is not served.', 'docs/sql-api.md lists what is.');
    return new SqlError(made.sqlstate, made.message, {
      ...(made.hint ? { hint: made.hint } : {}),
      cause: error,
    });
  }
  return error instanceof Error ? error : new Error(message);
}
