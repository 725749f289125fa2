import type { Field } from '../wire/backend.ts';

export type Cells = readonly (Buffer | null)[];

/** Rows a statement gives, encoded for the client. */
export interface Opened {
  readonly fields: readonly Field[] | null;
  readonly rows: AsyncIterator<Cells> | null;
  /** The tag of CommandComplete, given how many rows went out. */
  tag(count: number): string;
  readonly notices: readonly string[];
}

export interface Bound {
  readonly params: Cells;
  readonly paramFormats: readonly number[];
  readonly resultFormats: readonly number[];
}

/** One statement, parsed. */
export interface Plan {
  /** Allowed in a failed transaction. */
  readonly ends?: boolean;
  describe(): Promise<{ readonly params: readonly number[]; readonly fields: readonly Field[] | null }>;
  open(bound: Bound, signal: AbortSignal): Promise<Opened>;
}

export const TEXT: Bound = { params: [], paramFormats: [], resultFormats: [] };

/** A statement that returns no rows. */
export const command = (tag: string, act: () => Promise<void> | void, ends = false): Plan => ({
  ends,
  describe: async () => ({ params: [], fields: null }),
  open: async () => {
    await act();
    return { fields: null, rows: null, tag: () => tag, notices: [] };
  },
});

export async function* listed(rows: readonly Cells[]): AsyncGenerator<Cells> {
  yield* rows;
}
