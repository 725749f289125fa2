import {
  alternatives,
  byName,
  columnsUnder,
  compilePredicate,
  scopeFor,
  settingsContext,
  typedExpression,
} from '../../definitions/index.ts';
import type { EntityInfo } from '../model/catalogue.ts';
import { type Access, compiledOnce } from './access.ts';

/** Their holders see every row, as the policies say (planner/policies.ts). */
const ALL = ['owner', 'admin'];

/** More are left to the policies: each costs a part of every page. */
const MOST = 8;

/**
 * The rows a principal sees as predicates of which one must hold; null where it sees all of them, or where there are
 * too many. The policies say the same of every row, but as one condition with the rules of all roles, which no index
 * can serve and which the planner takes for half of the table.
 */
export function seenRules(access: Access, entity: EntityInfo, alias: string): readonly string[] | null {
  return compiledOnce(access, `seen ${entity.path} ${alias}`, () => ({ sql: compile(access, entity, alias) }))
    .sql;
}

function compile(
  { roles, catalogue }: Access,
  { model }: EntityInfo,
  alias: string,
): readonly string[] | null {
  if (roles === undefined || model.owner || ALL.some((role) => roles.includes(role))) return null;
  const rules = model.permissions.filter(
    (rule) =>
      rule.can.includes('read') && rule.roles.some((role) => role === 'everyone' || roles.includes(role)),
  );
  const scope = scopeFor(byName(catalogue.apps), model, 'where');
  const seen = new Set<string>();
  for (const where of new Set(rules.map((rule) => rule.where))) {
    if (where === undefined) return null;
    for (const one of alternatives(typedExpression(where, scope)))
      seen.add(compilePredicate(one, settingsContext(columnsUnder(alias))));
  }
  return seen.size === 0 || seen.size > MOST ? null : [...seen];
}
