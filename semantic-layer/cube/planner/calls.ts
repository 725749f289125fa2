import type { Disposition, ModelFile } from '#kernel';
import type { ModelInput } from '../../generate/index.ts';
import type { AdapterAnswer, ErrorMessage, PlannedQuery } from '../library.ts';
import type { QueryType, Transform } from '../native/index.ts';
import type { Range } from '../ranges.ts';

/** What is said between the thread that plans and the one that answers. Everything here can be cloned. */

/** One of the queries of a question: what to run, and what makes an answer of its rows. */
export interface PlanPart {
  readonly statement: PlannedQuery;
  /** Counts all rows, where the query asks for `total`. */
  readonly total: PlannedQuery | null;
  readonly transform: Transform;
  /** Cube's answer without rows, times and total. */
  readonly frame: Readonly<Record<string, unknown>>;
}

export interface Plan {
  readonly parts: readonly PlanPart[];
  /** Of an answer to several queries. */
  readonly multi: { readonly queryType: QueryType } | null;
  /** Relative ranges as they were understood; null: something else in it depends on when it is asked. */
  readonly ranges: readonly Range[] | null;
}

/** Cube's own answer to what it refuses. */
export interface Refusal {
  readonly refused: ErrorMessage;
  readonly status: number;
}

export interface GraphqlQuestion {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
  readonly operationName?: string | undefined;
}

/** Files, or what they are made of. */
export type ModelMatter =
  | { readonly files: readonly ModelFile[] }
  | { readonly input: ModelInput; readonly profile: PlainProfile };

/** An access profile without its function. */
export interface PlainProfile {
  readonly id: string;
  readonly tables: ReadonlyMap<string, unknown>;
}

export interface Calls {
  /** Makes and compiles a model under `<owner> <version>`; null: it is the `known` version. */
  compile(
    owner: string,
    matter: ModelMatter,
    known: string | null,
  ): { readonly version: string; readonly key: string } | null;
  forget(model: string): null;
  /** A `Plan` or a `Refusal` as JSON: one text takes less to send than what it says, and is needed as a text anyway. */
  plan(model: string, query: unknown, queryType: string | undefined): string;
  ask(
    model: string,
    what: 'sql' | 'dryRun' | 'meta',
    query: unknown,
  ): { readonly message: ErrorMessage; readonly status: number };
  /** Statements run in the answering thread, for the request of this id. */
  graphql(
    model: string,
    request: string,
    question: GraphqlQuestion,
  ): { readonly data?: unknown; readonly errors?: readonly { readonly message: string }[] };
  /** What relative ranges mean now, in their order. */
  resolve(ranges: readonly Pick<Range, 'text' | 'timezone'>[]): readonly string[];
}

export type CallName = keyof Calls;

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly next: string | undefined;
  readonly disposition: Disposition;
}

export interface ThreadSetup {
  /** Where translations of model files are kept from one process to the next; null: nowhere. */
  readonly cacheDir: string | null;
}

export type ToThread =
  | { readonly id: number; readonly call: CallName; readonly args: readonly unknown[] }
  | { readonly ran: number; readonly answer?: AdapterAnswer; readonly failed?: string };

export type FromThread =
  | { readonly ready: { readonly version: string; readonly native: 'module' | 'substitute' } }
  | { readonly id: number; readonly result?: unknown; readonly failed?: Failure }
  | { readonly log: string; readonly error: string }
  | { readonly run: number; readonly request: string; readonly query: PlannedQuery };
