import type { App } from '../../definitions/index.ts';
import { createRowWriters, type RowWriter } from '../write/row-sql.ts';
import { type Catalogue, createCatalogue, type EntityInfo } from './catalogue.ts';
import { createFailures, type Failures } from './failure.ts';
import { createPolicy, type Policy } from './policy.ts';

/** Everything that follows from one set of definitions; replaced as a whole by another. */
export interface Model {
  readonly catalogue: Catalogue;
  readonly policy: Policy;
  readonly failures: Failures;
  rows(entity: EntityInfo): RowWriter;
}

export function createModel(apps: readonly App[]): Model {
  const catalogue = createCatalogue(apps);
  return {
    catalogue,
    policy: createPolicy(catalogue),
    failures: createFailures(apps, catalogue),
    rows: createRowWriters(catalogue),
  };
}
