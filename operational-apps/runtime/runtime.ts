import { type Logger, userError } from '#kernel';
import type { App } from '../definitions/index.ts';
import type { Denied } from './denied.ts';
import { createModel, type Model } from './model/model.ts';
import { createRecords } from './records.ts';
import { createSessions } from './sessions/index.ts';
import type { AppsRuntime } from './types.ts';

export interface AppsRuntimeOptions {
  /** Connection string of the engine's own login; see `prepareAppsLogin`. Secret. */
  readonly url: string;
  readonly apps: readonly App[];
  readonly logger: Logger;
  /** Connections of the pool; default 10. */
  readonly connections?: number;
  /** Calls that may wait for a connection; default 200. */
  readonly queue?: number;
  readonly statementTimeoutMs?: number;
  /**
   * `database` switches the engine's own checks off: what is refused then is refused by row-level
   * security alone. For tests.
   */
  readonly trust?: 'both' | 'database';
  /** Told of every refusal for want of a right. */
  readonly onDenied?: (denied: Denied) => void;
}

/** The records engine; see `AppsRuntime`. Connects when it is first used. */
export function createAppsRuntime(options: AppsRuntimeOptions): AppsRuntime {
  const sessions = createSessions(options);
  let model: Model = createModel(options.apps);
  let revision = 1;
  return {
    get apps() {
      return model.catalogue.apps;
    },
    get revision() {
      return revision;
    },
    entity: (path) => model.catalogue.entity(path).model,
    use(apps) {
      model = createModel(apps);
      revision += 1;
    },
    as(principal, call) {
      if (principal.tenant === null)
        throw userError(
          'TENANT_REQUIRED',
          'Records belong to a tenant, and this caller has none.',
          'Name one in the header `x-bac-tenant`, or use a key that is bound to a tenant (`bac keys create --tenant`).',
        );
      return createRecords({
        model,
        sessions,
        principal,
        tenant: principal.tenant,
        call,
        trust: options.trust ?? 'both',
        onDenied: options.onDenied,
      });
    },
    close: () => sessions.close(),
  };
}
