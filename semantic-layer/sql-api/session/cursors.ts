import type { Node } from '../compile/ast.ts';
import { SqlError } from '../errors.ts';
import type { Field } from '../wire/backend.ts';
import { type Bound, type Cells, type Opened, type Plan, TEXT } from './plan.ts';

interface Cursor {
  readonly opened: Opened;
  readonly hold: boolean;
  done: boolean;
}

type Fetch = Extract<Node, { FetchStmt: unknown }>['FetchStmt'];
const MOST = 100;

/** Cursors of SQL: DECLARE, FETCH, MOVE, CLOSE. They go forward only. */
export class Cursors {
  readonly #open = new Map<string, Cursor>();

  async declare(name: string, hold: boolean, plan: Plan, signal: AbortSignal): Promise<void> {
    if (this.#open.has(name)) throw new SqlError('42P03', `cursor "${name}" already exists`);
    if (this.#open.size >= MOST) throw new SqlError('53400', 'too many cursors are open');
    this.#open.set(name, { opened: await plan.open(TEXT, signal), hold, done: false });
  }

  fetch(body: Fetch): Plan {
    const name = body.portalname ?? '';
    const cursor = (): Cursor => {
      const found = this.#open.get(name);
      if (!found) throw new SqlError('34000', `cursor "${name}" does not exist`);
      return found;
    };
    const count = amount(body);
    const word = body.ismove ? 'MOVE' : 'FETCH';
    return {
      describe: async () => ({ params: [], fields: body.ismove ? null : cursor().opened.fields }),
      open: async (bound) => {
        refuseBinary(bound);
        const from = cursor();
        if (!body.ismove)
          return {
            fields: from.opened.fields,
            rows: some(from, count),
            tag: (n) => `${word} ${n}`,
            notices: [],
          };
        let moved = 0;
        const rows = some(from, count);
        while (!(await rows.next()).done) moved += 1;
        return { fields: null, rows: null, tag: () => `${word} ${moved}`, notices: [] };
      },
    };
  }

  /** Columns of an open cursor; undefined: there is none of this name. */
  fields(name: string): readonly Field[] | undefined {
    return this.#open.get(name)?.opened.fields ?? undefined;
  }

  async close(name: string | null): Promise<void> {
    if (name !== null && !this.#open.has(name))
      throw new SqlError('34000', `cursor "${name}" does not exist`);
    for (const [key, cursor] of this.#open) {
      if (name !== null && key !== name) continue;
      this.#open.delete(key);
      await cursor.opened.rows?.return?.();
    }
  }

  /** The transaction ends: cursors without HOLD end with it. */
  async endTransaction(): Promise<void> {
    for (const [name, cursor] of this.#open) if (!cursor.hold) await this.close(name);
  }
}

function refuseBinary({ resultFormats }: Bound): void {
  if (resultFormats.some((format) => format !== 0))
    throw new SqlError('0A000', 'FETCH gives text only', { hint: 'Ask for the text form, or use a portal.' });
}

function amount({ direction, howMany }: Fetch): number {
  const count = howMany === undefined ? 0 : Number(howMany);
  if (direction !== undefined && direction !== 'FETCH_FORWARD')
    throw new SqlError('55000', 'cursor can only scan forward', { hint: 'FETCH FORWARD n FROM cursor' });
  if (count < 0) throw new SqlError('55000', 'cursor can only scan forward');
  return count;
}

async function* some(cursor: Cursor, count: number): AsyncGenerator<Cells> {
  for (let taken = 0; taken < count && !cursor.done; taken += 1) {
    const next = await cursor.opened.rows!.next();
    if (next.done) cursor.done = true;
    else yield next.value;
  }
}
