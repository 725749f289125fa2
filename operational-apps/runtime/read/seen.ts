import {
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

/**
 * The rows a principal sees as a condition of its own, where one predicate says so; null otherwise. The policies
 * say the same of every row, but as one branch among those of all roles, which no index can serve and which the
 * planner takes for half of the table.
 */
export function seenRule(access: Access, entity: EntityInfo, alias: string): string | null {
  return compiledOnce(access, `seen ${entity.path} ${alias}`, () => ({ sql: compile(access, entity, alias) }))
    .sql;
}

function compile({ roles, catalogue }: Access, { model }: EntityInfo, alias: string): string | null {
  if (roles === undefined || model.owner || ALL.some((role) => roles.includes(role))) return null;
  const rules = model.permissions.filter(
    (rule) =>
      rule.can.includes('read') && rule.roles.some((role) => role === 'everyone' || roles.includes(role)),
  );
  const [where, another] = new Set(rules.map((rule) => rule.where));
  if (where === undefined || another !== undefined || rules.some((rule) => rule.where === undefined))
    return null;
  const typed = typedExpression(where, scopeFor(byName(catalogue.apps), model, 'where'));
  return compilePredicate(typed, settingsContext(columnsUnder(alias)));
}
