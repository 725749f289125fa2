import type { Principal } from '#kernel';
import type { Model } from '../model/model.ts';
import type { Access } from '../read/access.ts';
import type { Query } from '../read/list.ts';
import { assertWaiting, type Identity, type Sessions, type Transaction } from '../sessions/index.ts';
import type { Call, Json } from '../types.ts';
import { holdRules } from './checks.ts';
import { withKey } from './idempotency.ts';
import { settle } from './settle.ts';
import { trailStatements } from './trail.ts';
import { transitByApp } from './transit.ts';
import type { Unit } from './unit.ts';

export interface WritingContext {
  readonly model: Model;
  readonly sessions: Sessions;
  readonly principal: Principal;
  readonly identity: Identity;
  readonly access: Access;
  readonly call: Call;
  readonly trust: 'both' | 'database';
}

export interface Writing {
  /**
   * One transaction: `act`, the trail, then the queries it returned, whose answers `answer` puts
   * together. With a key it happens once; see `withKey`. A dry run ends by rolling back.
   */
  run<T>(
    once: { readonly key: string | undefined; readonly request: Json; readonly dryRun?: boolean },
    act: (unit: Unit) => Promise<readonly Query<unknown>[]>,
    answer: (rows: readonly unknown[]) => T,
  ): Promise<T>;
}

export function createWriting(context: WritingContext): Writing {
  const { sessions, identity, call } = context;
  return {
    run(once, act, answer) {
      const work = async (tx: Transaction) => {
        assertWaiting(call.client);
        const unit: Unit = {
          ...context,
          tx,
          mayElevate: context.trust === 'both',
          trail: [],
          unchecked: new Map(),
          nesting: { automations: 0, transitions: 0, app: 0 },
          settle: (entity, event) => settle(unit, entity, event),
          transit: (entity, id, name, input) => transitByApp(unit, entity, id, name, input),
        };
        const acted = async (): Promise<readonly Query<unknown>[]> => {
          const queries = await act(unit);
          await holdRules(unit);
          for (const statement of trailStatements(unit)) tx.later({ ...statement, elevated: true });
          return queries;
        };
        if (once.dryRun) {
          const queries = await acted();
          const outcomes = await tx.runAll(queries.map((query) => query.statement));
          const rows = queries.map((query, index) => query.read(outcomes[index]!.rows));
          throw new DryRun(rows);
        }
        if (once.key !== undefined) {
          const rows = await withKey(unit, once.key, once.request, async () => {
            const queries = await acted();
            const outcomes = await tx.runAll(queries.map((query) => query.statement));
            return queries.map((query, index) => query.read(outcomes[index]!.rows)) as Json[];
          });
          return () => answer(rows as readonly unknown[]);
        }
        const rows: unknown[] = [];
        for (const [index, query] of (await acted()).entries())
          tx.atCommit(query.statement, (outcome) => {
            rows[index] = query.read(outcome.rows);
          });
        return () => answer(rows);
      };
      return sessions.write(identity, work).then(
        (done) => done(),
        (error: unknown) => {
          if (error instanceof DryRun) return answer(error.rows);
          throw error;
        },
      );
    },
  };
}

/** Ends a transaction whose answer is all that is wanted. */
class DryRun extends Error {
  readonly rows: readonly unknown[];

  constructor(rows: readonly unknown[]) {
    super('dry run');
    this.rows = rows;
  }
}
