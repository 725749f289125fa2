import * as arrow from 'apache-arrow';
import type { Chunk } from '../run/engine.ts';
import type { Answer } from '../run/statement.ts';
import { type ArrowColumn, arrowColumn } from './columns.ts';

/** Takes what a writer writes, so that nothing more is made than is asked for. */
class Written extends arrow.AsyncByteQueue {
  #parts: Uint8Array[] = [];

  override write(part: Parameters<arrow.AsyncByteQueue['write']>[0]): void {
    this.#parts.push(part as Uint8Array);
  }

  take(): Buffer {
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    return bytes;
  }
}

/**
 * An answer in Arrow's IPC streaming format: schema, one record batch for each chunk of the engine, end mark. The
 * freshness is in the schema's metadata, as `bac.completeUpTo`, `bac.cached` and `bac.tables`. Ending the generator
 * frees the statement. Source: Apache Arrow columnar format, "IPC streaming format".
 */
export async function* arrowStream({ columns, rows, freshness }: Answer<Chunk>): AsyncGenerator<Buffer> {
  const written = new Written();
  const writer = new arrow.RecordBatchStreamWriter();
  let made: readonly ArrowColumn[] = [];
  let schema = new arrow.Schema();
  for await (const { types, chunk } of rows) {
    if (chunk === null) {
      made = types.map((type, at) => arrowColumn(type, columns[at]!.type));
      const names = distinct(columns.map(({ name }) => name));
      const fields = made.map(({ type }, at) => new arrow.Field(names[at]!, type, true));
      schema = new arrow.Schema(fields, metadata(freshness));
      writer.reset(written, schema);
    } else {
      const length = chunk.rowCount;
      const children = made.map(({ data }, at) => data(chunk.getColumnValues(at)));
      const data = arrow.makeData({ type: new arrow.Struct(schema.fields), length, nullCount: 0, children });
      writer.write(new arrow.RecordBatch(schema, data));
    }
    const bytes = written.take();
    if (bytes.length > 0) yield bytes;
  }
  writer.finish();
  yield written.take();
}

/** Arrow's readers go by names: a second `total` is `total_1`. */
function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    for (let count = 1; taken.has(free); count += 1) free = `${name}_${count}`;
    taken.add(free);
    return free;
  });
}

function metadata(freshness: Answer['freshness']): Map<string, string> {
  if (!freshness) return new Map();
  return new Map([
    ...(freshness.completeUpTo === null ? [] : [['bac.completeUpTo', freshness.completeUpTo] as const]),
    ['bac.cached', String(freshness.cached)],
    ['bac.tables', freshness.tables.join(',')],
    ...(freshness.rollups.length > 0 ? [['bac.rollups', freshness.rollups.join(',')] as const] : []),
  ]);
}
