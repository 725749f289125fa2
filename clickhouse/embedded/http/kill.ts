import { chLiteral } from '#kernel';
import { refusal } from '../engine/index.ts';
import { parseStatement, type Statement } from '../sql/statement.ts';
import type { Account } from './auth.ts';

const KILL = /^\s*KILL\s/i;
const BY_ID =
  /^\s*KILL\s+QUERY\s+WHERE\s+query_id\s*=\s*'((?:[^'\\]|\\.)*)'\s*(?:SYNC|ASYNC)?\s*(?:FORMAT\s+(\w+))?\s*$/i;

/**
 * KILL QUERY WHERE query_id = '...': clients name their own ids, which the engine does not know. Ends the
 * statement and returns what answers in the engine's stead; any other statement is returned as it is.
 */
export function killById(
  statement: Statement,
  account: Account,
  running: ReadonlyMap<string, AbortController>,
): Statement {
  if (statement.kind !== 'command' || !KILL.test(statement.sql)) return statement;
  if (account.readonly) {
    throw refusal(497, 'ACCESS_DENIED', `${account.user}: Not enough privileges to end queries`);
  }
  const [, quoted, format] = BY_ID.exec(statement.sql) ?? [];
  const id = quoted?.replace(/\\(.)/g, '$1');
  const controller = id === undefined ? undefined : running.get(id);
  if (id === undefined || !controller) return statement;
  controller.abort(refusal(394, 'QUERY_WAS_CANCELLED', 'Query was cancelled'));
  const row = `SELECT 'waiting' AS kill_status, ${chLiteral(id)} AS query_id, ${chLiteral(account.user)} AS user`;
  return parseStatement(format === undefined ? row : `${row} FORMAT ${format}`);
}
