import type { Connection, PoolClient, Submittable } from 'pg';
import { serialize } from 'pg-protocol';
import { RecentMap } from '#kernel';
import { Outbox, type Param } from './outbox.ts';

export interface Statement {
  readonly text: string;
  readonly values?: readonly Param[];
  /** Kept prepared on the connection: for texts that come again and again. */
  readonly keep?: boolean;
  /** Its plan is the same whatever the values: read and kept, it is planned once on a connection, not for each call. */
  readonly onePlan?: boolean;
}

/** Fields of a row in the text form of PostgreSQL, in the order of the select list. */
export type WireRow = readonly (string | null)[];

export interface Outcome {
  readonly rows: readonly WireRow[];
  /** Rows the statement touched or returned. */
  readonly count: number;
}

/** Prepared statements a connection keeps; the one used longest ago gives way. */
const MOST_KEPT = 200;

interface Prepared {
  /** Text to name, in the order of last use. */
  readonly names: RecentMap<string, string>;
  /** Names to be closed with the next batch. */
  stale: string[];
  next: number;
}

const prepared = new WeakMap<Connection, Prepared>();
const NONE: readonly Param[] = [];
/** Emptied before anything else runs: one serves all connections. */
const outbox = new Outbox();

/** Where pg's connection writes its messages. */
interface Wire {
  readonly stream: { readonly writable: boolean; write(bytes: Buffer): boolean };
}

/**
 * Runs statements one after the other in one network round trip: Parse, Bind and Execute of each, then
 * one Sync. Outside a transaction block they are one implicit transaction, which ends at the Sync, so
 * what `set_config(..., true)` sets in the first holds for the others and for nothing after. The first
 * error ends the batch (nothing of an implicit transaction stays) and rejects with pg's error.
 */
export function runPipeline(client: PoolClient, statements: readonly Statement[]): Promise<Outcome[]> {
  const batch = new Pipeline(statements);
  client.query(batch);
  return batch.done;
}

class Pipeline implements Submittable {
  readonly done: Promise<Outcome[]>;
  private readonly statements: readonly Statement[];
  private readonly outcomes: Outcome[] = [];
  private readonly fresh: string[] = [];
  private readonly resolve: (outcomes: Outcome[]) => void;
  private readonly reject: (error: Error) => void;
  private rows: WireRow[] = [];
  private failed = false;

  constructor(statements: readonly Statement[]) {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome[]>();
    this.done = promise;
    this.resolve = resolve;
    this.reject = reject;
    this.statements = statements;
  }

  /** All messages in one buffer: one call of the system instead of one with a piece for each. */
  submit(connection: Connection): void {
    const { stream } = connection as unknown as Wire;
    // A lost connection fails the batch by its own event.
    if (!stream.writable) return;
    const known = preparedOf(connection);
    outbox.begin();
    if (known.stale.length > 0)
      for (const name of known.stale.splice(0)) outbox.add(serialize.close({ type: 'S', name }));
    for (const statement of this.statements) this.add(known, statement);
    outbox.sync();
    stream.write(outbox.take());
  }

  private add(known: Prepared, { text, values = NONE, keep = false }: Statement): void {
    let name = keep ? known.names.get(text) : '';
    if (name === undefined) {
      name = `bac${known.next++}`;
      known.names.set(text, name);
      this.fresh.push(text);
      outbox.add(serialize.parse({ name, text, types: [] }));
    } else if (name === '') outbox.add(serialize.parse({ name, text, types: [] }));
    if (known.names.size > MOST_KEPT) {
      const [old, oldName] = known.names.oldest()!;
      known.names.delete(old);
      known.stale.push(oldName);
    }
    outbox.bindAndExecute(name, values);
  }

  handleDataRow(message: { fields: WireRow }): void {
    this.rows.push(message.fields);
  }

  handleCommandComplete(message: { text: string }): void {
    this.outcomes.push({ rows: this.rows, count: countOf(message.text) });
    this.rows = [];
  }

  /** After an error it is not known which of the new statements were parsed: all are made anew. */
  handleError(error: Error, connection: Connection): void {
    this.failed = true;
    const known = preparedOf(connection);
    for (const text of this.fresh) {
      const name = known.names.get(text);
      if (name !== undefined) known.stale.push(name);
      known.names.delete(text);
    }
    this.reject(error);
  }

  handleReadyForQuery(): void {
    if (!this.failed) this.resolve(this.outcomes);
  }

  handleRowDescription(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData(): void {}
}

/** Rows, at the end of a command's tag; 0 where it has none. */
function countOf(tag: string): number {
  const count = Number(tag.slice(tag.lastIndexOf(' ') + 1));
  return Number.isNaN(count) ? 0 : count;
}

/** Forgets what a connection has prepared: its plans no longer fit the tables. */
export function forgetPrepared(client: PoolClient): void {
  const connection = (client as unknown as { connection: Connection }).connection;
  const known = preparedOf(connection);
  for (const [, name] of known.names.entries()) known.stale.push(name);
  known.names.clear();
}

function preparedOf(connection: Connection): Prepared {
  let known = prepared.get(connection);
  if (!known) {
    known = { names: new RecentMap(), stale: [], next: 1 };
    prepared.set(connection, known);
  }
  return known;
}
