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
  const pipe = run.engine.fifos.take();
  const reading = pipe.readable();
  const tail = statement.format === null ? `FORMAT ${format}` : statement.sql.slice(offset);
  const sql = `${statement.sql.slice(0, offset)}\nINTO OUTFILE ${chLiteral(pipe.path)} APPEND ${tail}`;
  const work = run.connection.run(sql, format, run.params);
  const query: Promise<Outcome | EngineError> = endOnAbort(run, work)
    .catch((error: EngineError) => error)
    .finally(() => pipe.endWriting());
  let emptied = false;
  try {
    const held: Buffer[] = [];
    let size = 0;
    for await (const piece of reading.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      // Read on to the end that KILL brings: an engine that opens or fills a pipe nobody reads waits for ever.
      if (run.signal.aborted) continue;
      if (!run.reply.started) {
        held.push(piece);
        size += piece.length;
        if (size < WHOLE_BYTES) continue;
        run.reply.begin(format, null);
        await send(run, Buffer.concat(held.splice(0)));
      } else await send(run, piece);
    }
    const outcome = await query;
    run.signal.throwIfAborted();
    if (outcome instanceof Error) throw outcome;
    if (!run.reply.started) {
      run.reply.begin(format, outcome);
      if (size > 0) await run.reply.write(Buffer.concat(held), run.signal);
    }
    run.reply.end();
    emptied = true;
  } finally {
    reading.resume();
    await query;
    reading.destroy();
    pipe.free(emptied);
  }
}

/** A client that goes away while it is being sent to is the signal's matter. */
async function send(run: Run, piece: Buffer): Promise<void> {
  try {
    await run.reply.write(piece, run.signal);
  } catch (error) {
    if (!run.signal.aborted) throw error;
  }
}
