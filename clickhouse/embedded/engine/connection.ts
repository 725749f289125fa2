import { EngineError, refusal } from './engine-error.ts';
import { bytesAt, chdb, dereference, isNull, type Pointer, textAt } from './library.ts';

export type Params = ReadonlyMap<string, string>;

/** What a finished statement read and wrote. */
export interface Outcome {
  readonly bytes: Buffer;
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly rowsWritten: number;
  readonly bytesWritten: number;
  readonly elapsedNs: number;
}

export interface Analysis {
  readonly statements: number;
  readonly readOnly: boolean;
}

/** A running insert. Exactly one of `finish` and `cancel` must be called. */
export interface InsertStream {
  /** False once the engine has failed the insert; `finish` then tells why. Waits while the engine is busy. */
  append(data: Buffer): Promise<boolean>;
  finish(): Promise<Outcome>;
  /** Ends without the last, uncommitted block. */
  cancel(): Promise<void>;
}

const ANALYSIS_SIZE = 16;
const EMPTY = Buffer.alloc(0);

/**
 * One engine connection: its own settings, current database and temporary tables. Runs one statement
 * at a time; the caller sees to that. Opening one on a running engine takes under a millisecond, so
 * every request gets a fresh one and nothing leaks between requests.
 */
export class Connection {
  readonly #cell: Pointer;
  readonly #handle: Pointer;

  private constructor(cell: Pointer) {
    this.#cell = cell;
    this.#handle = dereference(cell);
  }

  /** Null if the engine refused `args` (it only logs why). */
  static async open(args: readonly string[]): Promise<Connection | null> {
    const cell = await chdb.connect(args.length + 1, ['bac', ...args]);
    return isNull(cell) ? null : new Connection(cell);
  }

  /** Runs one statement and returns its whole result in `format` (or the statement's own FORMAT). */
  async run(sql: string, format = 'TabSeparated', params?: Params): Promise<Outcome> {
    if (params && params.size > 0) {
      refuseNul(sql);
      return finish(await chdb.queryWithParams(this.#handle, sql, format, ...pairs(params)));
    }
    const query = Buffer.from(sql);
    const form = Buffer.from(format);
    return finish(await chdb.query(this.#handle, query, query.length, form, form.length));
  }

  /** Begins "INSERT INTO t (a, b)" whose rows follow by `append` in `format`. */
  async insert(head: string, format: string, params?: Params): Promise<InsertStream> {
    const stream = await this.#beginInsert(head, format, params);
    const problem = textAt(chdb.insertError(stream));
    if (problem !== null) {
      chdb.destroyInsert(stream);
      throw new EngineError(problem);
    }
    return {
      append: async (data) => (await chdb.append(stream, data, data.length)) === 0,
      async finish() {
        try {
          return await finish(await chdb.done(stream));
        } finally {
          chdb.destroyInsert(stream);
        }
      },
      async cancel() {
        await chdb.cancelInsert(stream);
        chdb.destroyInsert(stream);
      },
    };
  }

  /** What the engine's own parser makes of `sql`; 0 statements if it does not parse. */
  async analyze(sql: string): Promise<Analysis> {
    const query = Buffer.from(sql);
    const report = Buffer.alloc(ANALYSIS_SIZE);
    report.writeUInt32LE(ANALYSIS_SIZE, 0);
    await chdb.classify(this.#handle, query, query.length, EMPTY, 0, report);
    return { statements: report.readUInt32LE(4), readOnly: report.readUInt32LE(12) === 0 };
  }

  close(): Promise<void> {
    return chdb.close(this.#cell);
  }

  #beginInsert(head: string, format: string, params?: Params): Promise<Pointer> {
    if (params && params.size > 0) {
      refuseNul(head);
      return chdb.insertWithParams(this.#handle, head, format, ...pairs(params));
    }
    const query = Buffer.from(head);
    const form = Buffer.from(format);
    return chdb.insert(this.#handle, query, query.length, form, form.length);
  }
}

/** Names and values as C strings; values are in the engine's escaped form, which has its own way to write NUL. */
const pairs = (params: Params): [string[], string[], number] => [
  [...params.keys()].map((name) => name.replaceAll('\0', '')),
  [...params.values()].map((value) => value.replaceAll('\0', '\\0')),
  params.size,
];

function refuseNul(sql: string): void {
  if (sql.includes('\0')) throw refusal(62, 'SYNTAX_ERROR', 'A statement with parameters holds a NUL byte');
}

async function finish(result: Pointer): Promise<Outcome> {
  try {
    const problem = textAt(chdb.resultError(result));
    if (problem !== null) throw new EngineError(problem);
    return {
      bytes: bytesAt(chdb.resultBuffer(result), chdb.resultLength(result)),
      rowsRead: chdb.rowsRead(result),
      bytesRead: chdb.bytesRead(result),
      rowsWritten: chdb.rowsWritten(result),
      bytesWritten: chdb.bytesWritten(result),
      elapsedNs: Math.round(chdb.elapsed(result) * 1e9),
    };
  } finally {
    chdb.destroyResult(result);
  }
}
