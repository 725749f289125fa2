import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { pgIdent, pgLiteral, userError } from '#kernel';
import type { ExchangeColumn } from './columns.ts';
import type { Cells, FileRow } from './types.ts';

const MEMORY = '512MB';
const TYPES = {
  text: 'VARCHAR',
  integer: 'BIGINT',
  decimal: 'DECIMAL',
  boolean: 'BOOLEAN',
  date: 'DATE',
  dateTime: 'TIMESTAMP WITH TIME ZONE',
} as const;

/** Typed Parquet (zstd), written by DuckDB through a temporary file. Values that do not fit their type become NULL. */
export async function* writeParquet(
  columns: readonly ExchangeColumn[],
  rows: AsyncIterable<readonly Cells[]>,
): AsyncGenerator<Uint8Array> {
  await using work = await openDuckDb();
  const { connection, file } = work;
  await connection.run(
    `CREATE TABLE cells (${columns.map((column) => `${pgIdent(column.name)} VARCHAR`).join(', ')})`,
  );
  for await (const some of rows) {
    const appender = await connection.createAppender('cells');
    for (const cells of some) {
      for (const cell of cells) {
        if (cell === null) appender.appendNull();
        else appender.appendVarchar(cell);
      }
      appender.endRow();
    }
    appender.closeSync();
  }
  const list = columns.map(
    (column) => `TRY_CAST(${pgIdent(column.name)} AS ${typeOf(column)}) AS ${pgIdent(column.name)}`,
  );
  await connection.run(
    `COPY (SELECT ${list.join(', ')} FROM cells) TO ${pgLiteral(file).trim()} (FORMAT parquet, COMPRESSION zstd)`,
  );
  for await (const chunk of createReadStream(file)) yield chunk as Buffer;
}

const typeOf = ({ kind, precision = 38, scale = 10 }: ExchangeColumn): string =>
  kind === 'decimal' ? `DECIMAL(${precision}, ${scale})` : TYPES[kind];

/** Any Parquet file, its values as text. Errors: FILE_INVALID (user). */
export async function* readParquet(content: Readable): AsyncGenerator<FileRow> {
  await using work = await openDuckDb();
  const { connection, file } = work;
  await pipeline(content, createWriteStream(file));
  const source = `read_parquet(${pgLiteral(file).trim()})`;
  let names: string[];
  try {
    names = (await connection.run(`SELECT * FROM ${source} LIMIT 0`)).columnNames();
  } catch (cause) {
    throw userError('FILE_INVALID', 'The file is not Parquet.', 'Write it anew, or use CSV.', cause);
  }
  const list = names.map((name) => `CAST(${pgIdent(name)} AS VARCHAR) AS ${pgIdent(name)}`).join(', ');
  let line = 1;
  for await (const chunk of await connection.stream(`SELECT ${list} FROM ${source}`)) {
    for (const cells of chunk.getRows()) {
      line += 1;
      yield {
        line,
        cells: Object.fromEntries(names.map((name, at) => [name, textOf(cells[at] as string | null)])),
      };
    }
  }
}

/** DuckDB prints instants as `2026-02-28 23:59:59.5+00`. */
const INSTANT = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2}(?:\.\d+)?)\+00$/;
const textOf = (cell: string | null): string | null => cell?.replace(INSTANT, '$1T$2Z') ?? null;

interface Work extends AsyncDisposable {
  readonly connection: DuckDBConnection;
  readonly file: string;
}

/** An engine of its own with a temporary folder: it reaches no other file and no network. */
async function openDuckDb(): Promise<Work> {
  const dir = await mkdtemp(join(tmpdir(), 'bac-parquet-'));
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY,
    threads: '1',
    temp_directory: dir,
  });
  const connection = await instance.connect();
  const file = join(dir, 'data.parquet');
  await connection.run(`SET allowed_directories = [${pgLiteral(dir).trim()}]`);
  await connection.run('SET enable_external_access = false');
  return {
    connection,
    file,
    async [Symbol.asyncDispose]() {
      connection.closeSync();
      instance.closeSync();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
