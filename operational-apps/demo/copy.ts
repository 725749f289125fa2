import { once } from 'node:events';
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { pgIdent, pgTable } from '#kernel';
import type { Row, Value } from './world.ts';

/** One chunk of COPY text for one table. */
export interface Chunk {
  readonly table: string;
  readonly columns: readonly string[];
  readonly data: Buffer;
}

const CHUNK_BYTES = 1 << 19;
/** Text is encoded in small pieces, while it is still young for the garbage collector. */
const PIECE_CHARACTERS = 1 << 12;
const MOST_BYTES_A_CHARACTER = 3;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

interface OpenChunk {
  readonly columns: readonly string[];
  buffer: Buffer;
  used: number;
  piece: string;
}

/** Gathers rows into chunks per table; `take` hands over those that are full, or all of them. */
export function createChunks() {
  const open = new Map<string, OpenChunk>();
  const full: Chunk[] = [];
  const close = (table: string, chunk: OpenChunk): void => {
    encode(chunk);
    if (chunk.used === 0) return;
    full.push({ table, columns: chunk.columns, data: chunk.buffer.subarray(0, chunk.used) });
    chunk.buffer = Buffer.allocUnsafe(0);
    chunk.used = 0;
  };
  return {
    add(table: string, row: Row): void {
      let chunk = open.get(table);
      if (!chunk) {
        chunk = { columns: Object.keys(row), buffer: Buffer.allocUnsafe(0), used: 0, piece: '' };
        open.set(table, chunk);
      }
      chunk.piece += copyLine(row, chunk.columns);
      if (chunk.piece.length < PIECE_CHARACTERS) return;
      encode(chunk);
      if (chunk.used >= CHUNK_BYTES) close(table, chunk);
    },
    take(rest = false): Chunk[] {
      if (rest) for (const [table, chunk] of open) close(table, chunk);
      return full.splice(0);
    },
  };
}

function encode(chunk: OpenChunk): void {
  const needed = chunk.used + chunk.piece.length * MOST_BYTES_A_CHARACTER;
  if (needed > chunk.buffer.length) {
    const larger = Buffer.allocUnsafe(Math.max(needed, CHUNK_BYTES + PIECE_CHARACTERS * 8));
    chunk.buffer.copy(larger, 0, 0, chunk.used);
    chunk.buffer = larger;
  }
  chunk.used += chunk.buffer.write(chunk.piece, chunk.used, 'utf8');
  chunk.piece = '';
}

export function copyLine(row: Row, columns: readonly string[]): string {
  let line = '';
  for (let index = 0; index < columns.length; index += 1) {
    line += index === 0 ? copyValue(row[columns[index]!]!) : `\t${copyValue(row[columns[index]!]!)}`;
  }
  return `${line}\n`;
}

const SPECIAL = /[\\\t\n\r]/;

function copyValue(value: Value | undefined): string {
  if (value === null || value === undefined) return '\\N';
  if (value === true) return 't';
  if (value === false) return 'f';
  if (typeof value === 'number') return String(value);
  return SPECIAL.test(value) ? value.replace(/[\\\t\n\r]/g, (one) => ESCAPES[one]!) : value;
}

/** Sends a chunk as a COPY of its own, committed when the promise resolves. */
export async function sendChunk(client: Client, chunk: Chunk): Promise<void> {
  const [schema, table] = chunk.table.split('.') as [string, string];
  const columns = chunk.columns.map(pgIdent).join(', ');
  const stream = client.query(copyFrom(`COPY ${pgTable(schema, table)} (${columns}) FROM STDIN`));
  stream.end(chunk.data);
  await once(stream, 'finish');
}
