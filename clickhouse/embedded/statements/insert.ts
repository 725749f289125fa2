import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { bufferPassed, chLiteral } from '#kernel';
import { type Outcome, refusal } from '../engine/index.ts';
import type { Statement } from '../sql/statement.ts';
import { endOnAbort, type Input, type Run, sendWhole } from './run.ts';

/** An insert's rows are handed to the engine's parser piece by piece. */
export async function runInsert(
  run: Run,
  statement: Statement & { kind: 'insert' },
  input: Input,
): Promise<void> {
  const stream = await run.connection.insert(statement.head, statement.format, run.params);
  let whole = false;
  try {
    for await (const piece of gathered(input)) {
      run.signal.throwIfAborted();
      if (!(await stream.append(piece))) break;
    }
    whole = true;
  } finally {
    if (!whole) await stream.cancel();
  }
  await sendWhole(run, run.defaultFormat, await stream.finish());
}

/** VALUES with bound parameters: the whole statement goes to the engine's SQL parser. */
export async function runInsertWithParams(
  run: Run,
  statement: Statement & { kind: 'insert' },
  input: Input,
): Promise<void> {
  const values: Buffer[] = [];
  for await (const piece of pieces(input)) values.push(piece);
  const sql = `${statement.head} VALUES ${Buffer.concat(values).toString()}`;
  const { statements } = await run.connection.analyze(sql);
  if (statements > 1) throw refusal(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed');
  const outcome = await endOnAbort(run, run.connection.run(sql, run.defaultFormat, run.params));
  await sendWhole(run, run.defaultFormat, outcome);
}

/** Formats read from their end, or by position: they need a real file. */
const NEEDS_FILE = /^(Parquet|ORC|Arrow|Npy)$/i;
/** Bodies that end within this size are spooled; a larger one has filled the pipe before it ends. */
export const SPOOLED_BYTES = 1024 * 1024;

/**
 * INSERT ... SELECT ... FROM input(): the engine's streaming insert does not take it, so input() becomes
 * file() over a pipe (or over a spooled file), parsed by as many threads as the engine likes.
 */
export async function runInsertInput(
  run: Run,
  statement: Statement & { kind: 'insert-input' },
  input: Input,
): Promise<void> {
  const spool = input.body.ended || NEEDS_FILE.test(statement.format);
  const outcome = await (spool ? fromFile : fromPipe)(run, statement, input);
  await sendWhole(run, run.defaultFormat, outcome);
}

/** The engine opens the pipe at a moment of its own, perhaps only after the insert has been given up. */
const NUDGE_MS = 50;

let spooled = 0;

async function fromFile(
  run: Run,
  statement: Statement & { kind: 'insert-input' },
  input: Input,
): Promise<Outcome> {
  spooled += 1;
  const path = join(run.engine.scratch, `spool-${spooled}`);
  try {
    await pipeline(pieces(input), createWriteStream(path, { mode: 0o600 }));
    return await endOnAbort(run, run.connection.run(readingFrom(path, statement), 'Null', run.params));
  } finally {
    await rm(path, { force: true });
  }
}

async function fromPipe(
  run: Run,
  statement: Statement & { kind: 'insert-input' },
  input: Input,
): Promise<Outcome> {
  const pipe = run.engine.fifos.take();
  const writing = pipe.writable();
  const broken = new AbortController();
  const stoppable = { ...run, signal: AbortSignal.any([run.signal, broken.signal]) };
  const query = endOnAbort(
    stoppable,
    run.connection.run(readingFrom(pipe.path, statement), 'Null', run.params),
  ).finally(() => writing.destroy());
  query.catch(() => {});
  try {
    await feed(writing, input);
  } catch (error) {
    if (!writing.destroyed) {
      // The engine must learn that the insert is void before the pipe's end looks like the data's end.
      broken.abort(error);
      await killed(run, query);
      writing.destroy();
      const nudging = setInterval(() => pipe.nudge(), NUDGE_MS);
      await query.catch(() => {});
      clearInterval(nudging);
      pipe.free(false);
      throw error;
    }
  }
  let emptied = false;
  try {
    const outcome = await query;
    emptied = true;
    return outcome;
  } finally {
    pipe.free(emptied);
  }
}

/**
 * Resolves once the engine has taken the KILL, or the statement has ended. A KILL may fail (it meets statements that
 * are just ending): without another, the engine would wait for the pipe's data for ever, its table in use.
 */
async function killed(run: Run, query: Promise<unknown>): Promise<void> {
  const yes = (): boolean => true;
  const ended = query.then(yes, yes);
  const taken = (): Promise<boolean> => run.engine.kill(run.mark).then(yes, () => false);
  while (!(await taken())) if (await Promise.race([ended, pause(NUDGE_MS, false)])) return;
}

async function feed(writing: Socket, input: Input): Promise<void> {
  const gone = new Promise<never>((_, reject) => {
    writing.once('error', reject);
    writing.once('close', () => reject(new Error('The engine has stopped reading')));
  });
  gone.catch(() => {});
  for await (const piece of pieces(input)) {
    if (!writing.write(piece)) {
      await Promise.race([gone, new Promise((resolve) => writing.once('drain', resolve))]);
    }
  }
  await Promise.race([gone.catch(() => {}), new Promise<void>((resolve) => writing.end(() => resolve()))]);
}

const readingFrom = (path: string, { sql, input, format }: Statement & { kind: 'insert-input' }): string =>
  `${sql.slice(0, input.start)}file(${chLiteral(path)}, ${chLiteral(format)}, ${input.structure})${sql.slice(input.end)}`;

/** Every append is a turn of the thread pool: few large ones cost less than many small. */
const APPENDED_BYTES = 1024 * 1024;

/** What Node allocates for each read of a socket. */
const RECEIVED_BYTES = 64 * 1024;

/** Pieces put together; each is taken in full before the next is made, so that one buffer serves them all. */
async function* gathered(input: Input): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  let block = Buffer.alloc(0);
  for await (const piece of pieces(input)) {
    held.push(piece);
    bufferPassed(RECEIVED_BYTES);
    size += piece.length;
    if (size < APPENDED_BYTES) continue;
    if (size > block.length) block = Buffer.allocUnsafeSlow(size + APPENDED_BYTES / 4);
    let at = 0;
    for (const part of held) at += part.copy(block, at);
    yield block.subarray(0, size);
    held = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(held);
}

async function* pieces(input: Input): AsyncGenerator<Buffer> {
  if (input.inline.length > 0) yield input.inline;
  yield* input.body.rest();
}
