import { HubError } from '#kernel';
import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import type { Access } from '../read/access.ts';
import { oneQuery, type Query } from '../read/list.ts';
import type { BulkOperation, Json, RecordRow, WriteOptions } from '../types.ts';
import { createRecord, deleteRecord, updateRecord } from './operations.ts';
import { transitionRecord } from './transit.ts';
import type { Unit } from './unit.ts';
import type { Writing } from './writing.ts';

const MOST = 500;

interface Context {
  readonly writing: Writing;
  readonly access: Access;
  readonly on: <T>(path: string, operation: string, work: (entity: EntityInfo) => Promise<T>) => Promise<T>;
}

/** All or nothing, in order; an error says which operation it was (`details.operation`, from 0). */
export async function runBulk(
  { writing, access, on }: Context,
  operations: readonly BulkOperation[],
  options: Pick<WriteOptions, 'idempotencyKey'> & { readonly dryRun?: boolean },
): Promise<(RecordRow | null)[]> {
  if (operations.length > MOST)
    throw problem('LIMIT_EXCEEDED', `At most ${MOST} operations at once.`, 'operations');
  if (operations.length === 0) return [];
  return writing.run(
    {
      key: options.idempotencyKey,
      request: ['bulk', operations as unknown as Json],
      dryRun: options.dryRun === true,
    },
    async (unit) => {
      const queries: Query<RecordRow | null>[] = [];
      for (const [index, operation] of operations.entries())
        try {
          queries.push(
            await on(operation.entity, operation.op, (entity) => one(unit, access, entity, operation)),
          );
        } catch (error) {
          throw error instanceof HubError ? at(error, index) : error;
        }
      return queries;
    },
    (rows) => rows as (RecordRow | null)[],
  );
}

async function one(
  unit: Unit,
  access: Access,
  entity: EntityInfo,
  operation: BulkOperation,
): Promise<Query<RecordRow | null>> {
  switch (operation.op) {
    case 'create':
      return oneQuery(access, entity, await createRecord(unit, entity, operation.values), undefined);
    case 'update':
      await updateRecord(unit, entity, operation.id, operation.values, operation.version);
      break;
    case 'transition':
      await transitionRecord(
        unit,
        entity,
        operation.id,
        operation.name,
        operation.input ?? {},
        operation.version,
      );
      break;
    case 'delete':
      await deleteRecord(unit, entity, operation.id, operation.version);
  }
  return oneQuery(access, entity, operation.id, undefined);
}

const at = (error: HubError, operation: number): HubError =>
  new HubError(error.code, error.message, {
    ...(error.next === undefined ? {} : { next: error.next }),
    disposition: error.disposition,
    cause: error,
    details: { ...error.details, operation },
  });
