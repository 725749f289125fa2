export interface WorkerSetup {
  /** Makes the empty PostgreSQL look like a model. */
  readonly sql: string;
  /** An empty PostgreSQL's data folder (tar, gzip) to start from; null: one is made and told. */
  readonly seed: Uint8Array | null;
}

export interface ToWorker {
  readonly id: number;
  readonly bytes: Uint8Array;
}

export type FromWorker =
  | { readonly ready: true }
  | { readonly seed: Uint8Array }
  /** Why the seed was no good. */
  | { readonly unusable: string }
  | { readonly id: number; readonly answer: Uint8Array }
  | { readonly id: number; readonly failed: string };
