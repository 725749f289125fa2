import type { AccessProfile, Logger, Principal, SemanticLayer, SemanticQuery, Warehouse } from '#kernel';
import type { ModelInput } from '../generate/index.ts';
import type { Statement, TableClock } from '../results/index.ts';
import type { Candidate, QuestionLog, Rollups } from '../rollups/index.ts';
import type { Answer } from './answers.ts';
import type { ModelSource, ModelStatus } from './models.ts';
import type { GraphqlQuestion } from './planner/index.ts';

export interface CubeOptions {
  readonly warehouse: Warehouse;
  readonly clock: TableClock;
  readonly logger: Logger;
  /** What the principal may see; asked for each request. */
  readonly profileOf: (principal: Principal) => Promise<AccessProfile>;
  readonly models: ModelSource;
  /** Refuses what a principal may not run now (rows, bytes, concurrency); default: nothing. */
  readonly admit?: (principal: Principal, statement: Statement) => Promise<() => void>;
  /** Room for results, and as much for finished answers. Default 64 MiB each. */
  readonly cacheBytes?: number;
  /** Answers from roll-ups where that is exact. */
  readonly rollups?: Rollups;
  /** Counts what is asked and read from the tables themselves. */
  readonly questions?: QuestionLog;
  /** Folder in which what compiles quicker the next time is kept; default: nowhere. */
  readonly cacheDir?: string;
  /** Longest run of one statement. Default 60. */
  readonly maxSeconds?: number;
}

export interface LoadRequest {
  /** As Cube's REST API takes it: an object, a list of them, or their JSON. */
  readonly query: unknown;
  readonly queryType?: string | undefined;
  readonly cache?: string | undefined;
  /** False: nothing is read from roll-ups. */
  readonly rollups?: boolean | undefined;
}

export interface CubeStatus {
  /** 'unloaded' until the first question. */
  readonly native: 'module' | 'substitute' | 'unloaded';
  readonly version: string | null;
  readonly models: readonly ModelStatus[];
  readonly results: {
    readonly entries: number;
    readonly bytes: number;
    readonly hits: number;
    readonly runs: number;
  };
  readonly answers: { readonly entries: number; readonly bytes: number; readonly hits: number };
  /** Questions that were planned so far. */
  readonly plans: number;
}

export interface CubeLayer extends SemanticLayer {
  /** Cube's REST API: answers in its format, failures too. `freshness`, `cached`, `tables`, `truncated` are added. */
  readonly rest: {
    load(principal: Principal, request: LoadRequest, signal?: AbortSignal): Promise<Answer>;
    /**
     * Gives the answer to `next`, and again whenever the numbers have changed; `next` is awaited. Resolves when the
     * signal aborts. Rejects with what `load` would before the first answer, later with what does not pass.
     */
    live(
      principal: Principal,
      request: LoadRequest,
      next: (answer: Answer) => Promise<void>,
      signal: AbortSignal,
    ): Promise<void>;
    sql(principal: Principal, query: unknown): Promise<Answer>;
    dryRun(principal: Principal, query: unknown): Promise<Answer>;
    meta(principal: Principal): Promise<Answer>;
  };
  graphql(
    principal: Principal,
    question: GraphqlQuestion,
    signal?: AbortSignal,
    options?: { readonly rollups?: boolean },
  ): Promise<Answer>;
  /** Compiles what this principal would ask, if it is not; nothing is thrown. */
  warm(principal: Principal): Promise<void>;
  /** Roll-ups of the profile's model from which the question could be answered, in the order of its files. */
  rollupsFor(profile: AccessProfile, query: SemanticQuery): Promise<readonly Candidate[]>;
  /** Rejects with what Cube says if a model of these files and tables does not compile; nothing is put in force. */
  compiles(profile: AccessProfile, source: ModelInput): Promise<void>;
  /** Tables, definitions or curated files have changed. */
  refresh(): Promise<void>;
  status(): CubeStatus;
  close(): Promise<void>;
}
