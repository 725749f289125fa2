import type { EntityInfo } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import { assertWaiting, type Identity, type Sessions } from '../sessions/index.ts';
import type { Client, ListQuery, RecordRow } from '../types.ts';
import { type Access, assertReadable, Params } from './access.ts';
import { rowRules } from './list.ts';
import { compileSelect } from './select.ts';
import { compileSort, orderSql } from './sort.ts';

const ROWS = 500;

/** All rows as they were when it began, by a cursor of the server: memory does not grow with them. */
export async function* streamRows(
  sessions: Sessions,
  identity: Identity,
  access: Access,
  entity: EntityInfo,
  query: Pick<ListQuery, 'filter' | 'sort' | 'search' | 'select'>,
  client: Client | undefined,
): AsyncGenerator<readonly RecordRow[]> {
  assertReadable(access, entity);
  if (!access.rights(entity).export)
    throw problem('PERMISSION_DENIED', `${entity.model.plural} may not be exported.`, undefined, {
      entity: entity.path,
    });
  const params = new Params();
  const keys = compileSort(access, entity, query.sort ?? []);
  const projection = compileSelect(access, entity, 't', query.select);
  const rules = rowRules(access, params, entity, 't', query);
  const where = rules.length > 0 ? ` WHERE ${rules.join(' AND ')}` : '';
  const text = `SELECT ${projection.list} FROM ${entity.table} t${where} ORDER BY ${orderSql(keys, 't')}`;
  for await (const rows of sessions.cursor(identity, { text, values: params.values }, ROWS)) {
    assertWaiting(client);
    yield rows.map((row) => projection.fromWire(row));
  }
}
