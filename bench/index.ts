import { benchApi } from './api.ts';
import { benchCdc } from './cdc.ts';
import { benchFreshness } from './freshness.ts';
import { benchSemantic } from './semantic.ts';
import { benchSnapshot } from './snapshot.ts';
import { benchTransaction } from './transaction.ts';

/** Benchmarks by name. Each returns one JSON document with its figures and what it is compared with. */
export const BENCHMARKS = {
  cdc: (runs?: number, log?: 'embedded' | 'kafka', engine?: 'native' | 'debezium', changes?: number) =>
    benchCdc({
      ...(runs === undefined ? {} : { runs }),
      ...(log === undefined ? {} : { log }),
      ...(engine === undefined ? {} : { engine }),
      ...(changes === undefined ? {} : { changes }),
    }),
  snapshot: (runs?: number) => benchSnapshot({ ...(runs === undefined ? {} : { runs }) }),
  freshness: () => benchFreshness(),
  transaction: () => benchTransaction(),
  api: () => benchApi(),
  semantic: () => benchSemantic(),
} as const;
