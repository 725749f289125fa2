import { once } from 'node:events';
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { pgIdent, pgTable } from '#kernel';
import type { Row, Value } from './world.ts';

/** One chunk of COPY text for one table. */
export interface Chunk {
  readonly table: string;
  readonly columns: readonly string[];
  readonly text: string;
}

const CHUNK_CHARACTERS = 1 << 19;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

/** Gathers rows into chunks per table; `take` hands over those that are full, or all of them. */
export function createChunks() {
  const open = new Map<string, { columns: string[]; text: string }>();
  const full: Chunk[] = [];
  return {
    add(table: string, row: Row): void {
      const buffer = open.get(table) ?? { columns: Object.keys(row), text: '' };
      if (buffer.text === '') open.set(table, buffer);
      buffer.text += copyLine(row, buffer.columns);
      if (buffer.text.length >= CHUNK_CHARACTERS) {
        full.push({ table, ...buffer });
        buffer.text = '';
      }
    },
    take(rest = false): Chunk[] {
      if (rest) {
        for (const [table, buffer] of open) if (buffer.text !== '') full.push({ table, ...buffer });
        open.clear();
      }
      return full.splice(0);
    },
  };
}

export function copyLine(row: Row, columns: readonly string[]): string {
  let line = '';
  for (let index = 0; index < columns.length; index += 1) {
    line += index === 0 ? copyValue(row[columns[index]!]!) : `\t${copyValue(row[columns[index]!]!)}`;
  }
  return `${line}\n`;
}

function copyValue(value: Value | undefined): string {
  if (value === null || value === undefined) return '\\N';
  if (value === true) return 't';
  if (value === false) return 'f';
  if (typeof value === 'number') return String(value);
  return /[\\\t\n\r]/.test(value) ? value.replace(/[\\\t\n\r]/g, (one) => ESCAPES[one]!) : value;
}

/** Sends a chunk as a COPY of its own, committed when the promise resolves. */
export async function sendChunk(client: Client, chunk: Chunk): Promise<void> {
  const [schema, table] = chunk.table.split('.') as [string, string];
  const columns = chunk.columns.map(pgIdent).join(', ');
  const stream = client.query(copyFrom(`COPY ${pgTable(schema, table)} (${columns}) FROM STDIN`));
  stream.end(chunk.text);
  await once(stream, 'finish');
}
