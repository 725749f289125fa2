import type { Connection, PoolClient, Submittable } from 'pg';

/** What goes over the wire as a parameter: text form, or bytes for bytea. */
export type Param = string | null | Buffer;

export interface Statement {
  readonly text: string;
  readonly values?: readonly Param[];
  /** Kept prepared on the connection: for texts that come again and again. */
  readonly keep?: boolean;
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
  readonly names: Map<string, string>;
  /** Names to be closed with the next batch. */
  stale: string[];
  next: number;
}

const prepared = new WeakMap<Connection, Prepared>();

/** The messages of the extended protocol that pg's connection can send. */
interface Wire {
  readonly stream: { cork(): void; uncork(): void };
  parse(message: { name: string; text: string; types: readonly number[] }): void;
  bind(message: { portal: string; statement: string; values: readonly Param[] }): void;
  execute(message: { portal: string; rows: number }): void;
  close(message: { type: 'S' | 'P'; name: string }): void;
  sync(): void;
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

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire;
    const known = preparedOf(connection);
    wire.stream.cork();
    try {
      for (const name of known.stale.splice(0)) wire.close({ type: 'S', name });
      for (const statement of this.statements) this.send(wire, known, statement);
      wire.sync();
    } finally {
      wire.stream.uncork();
    }
  }

  private send(wire: Wire, known: Prepared, { text, values = [], keep = false }: Statement): void {
    let name = keep ? known.names.get(text) : '';
    if (name === undefined) {
      name = `bac${known.next++}`;
      this.fresh.push(text);
      wire.parse({ name, text, types: [] });
    } else if (name === '') wire.parse({ name, text, types: [] });
    if (keep) {
      known.names.delete(text);
      known.names.set(text, name);
      for (const [old, oldName] of known.names) {
        if (known.names.size <= MOST_KEPT) break;
        known.names.delete(old);
        known.stale.push(oldName);
      }
    }
    wire.bind({ portal: '', statement: name, values });
    wire.execute({ portal: '', rows: 0 });
  }

  handleDataRow(message: { fields: WireRow }): void {
    this.rows.push(message.fields);
  }

  handleCommandComplete(message: { text: string }): void {
    const count = /(\d+)$/.exec(message.text)?.[1];
    this.outcomes.push({ rows: this.rows, count: count === undefined ? 0 : Number(count) });
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

/** Forgets what a connection has prepared: its plans no longer fit the tables. */
export function forgetPrepared(client: PoolClient): void {
  const connection = (client as unknown as { connection: Connection }).connection;
  const known = preparedOf(connection);
  known.stale.push(...known.names.values());
  known.names.clear();
}

function preparedOf(connection: Connection): Prepared {
  let known = prepared.get(connection);
  if (!known) {
    known = { names: new Map(), stale: [], next: 1 };
    prepared.set(connection, known);
  }
  return known;
}
