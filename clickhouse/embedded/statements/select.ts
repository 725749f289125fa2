import { chLiteral } from '#kernel';
import type { EngineError, Outcome } from '../engine/index.ts';
import type { Statement } from '../sql/statement.ts';
import { endOnAbort, type Run } from './run.ts';

/** Results up to this size are sent whole: with exact statistics, and errors with their own status. */
const WHOLE_BYTES = 64 * 1024;

/**
 * Streams a SELECT. The engine writes the result through a pipe, formatted as one document (its streaming
 * interface would format every block by itself); a client that reads slowly slows the engine down.
 */
export async function runSelect(run: Run, statement: Statement & { kind: 'select' }): Promise<void> {
  const format = statement.format ?? run.defaultFormat;
  const { offset } = statement.at;
  const sql =
    `${statement.sql.slice(0, offset)}\nINTO OUTFILE ${'PIPE'} APPEND ` +
    (statement.format === null ? `FORMAT ${format}` : statement.sql.slice(offset));
  const pipe = run.engine.fifos.take();
  const reading = pipe.readable();
  const work = run.connection.run(
    sql.replace('PIPE', () => chLiteral(pipe.path)),
    format,
    run.params,
  );
  const query: Promise<Outcome | EngineError> = endOnAbort(run, work)
    .catch((error: EngineError) => error)
    .finally(() => pipe.endWriting());
  const stop = (): void => void reading.destroy();
  run.signal.addEventListener('abort', stop, { once: true });
  let emptied = false;
  try {
    const held: Buffer[] = [];
    let size = 0;
    for await (const piece of reading as AsyncIterable<Buffer>) {
      if (!run.reply.started) {
        held.push(piece);
        size += piece.length;
        if (size < WHOLE_BYTES) continue;
        run.reply.begin(format, null);
        await run.reply.write(Buffer.concat(held.splice(0)), run.signal);
      } else await run.reply.write(piece, run.signal);
    }
    const outcome = await query;
    if (outcome instanceof Error) throw outcome;
    if (!run.reply.started) {
      run.reply.begin(format, outcome);
      if (size > 0) await run.reply.write(Buffer.concat(held), run.signal);
    }
    run.reply.end();
    emptied = true;
  } finally {
    run.signal.removeEventListener('abort', stop);
    reading.destroy();
    await query;
    pipe.free(emptied);
  }
}
