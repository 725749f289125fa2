import { type ApiOptions, benchApi } from './api.ts';
import { benchCdc } from './cdc.ts';
import { benchFreshness } from './freshness.ts';
import { benchRollups } from './rollups.ts';
import { benchSemantic } from './semantic.ts';
import { benchSnapshot } from './snapshot.ts';
import { benchTransaction } from './transaction.ts';

/** What may be asked of them; each takes what it knows. */
export interface BenchFlags extends ApiOptions {
  readonly runs?: number;
  readonly log?: 'embedded' | 'kafka';
  readonly engine?: 'native' | 'debezium';
  readonly changes?: number;
}

/** Benchmarks by name. Each returns one JSON document with its figures and what it is compared with. */
export const BENCHMARKS = {
  cdc: ({ runs, log, engine, changes }: BenchFlags = {}) =>
    benchCdc({
      ...(runs === undefined ? {} : { runs }),
      ...(log === undefined ? {} : { log }),
      ...(engine === undefined ? {} : { engine }),
      ...(changes === undefined ? {} : { changes }),
    }),
  snapshot: ({ runs }: BenchFlags = {}) => benchSnapshot({ ...(runs === undefined ? {} : { runs }) }),
  freshness: () => benchFreshness(),
  transaction: () => benchTransaction(),
  api: (flags: BenchFlags = {}) => benchApi(flags),
  semantic: (flags: BenchFlags = {}) => benchSemantic(flags),
  rollups: (flags: BenchFlags = {}) => benchRollups(flags.rows === undefined ? {} : { rows: flags.rows }),
} as const;
