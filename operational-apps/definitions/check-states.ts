import { hint } from './hint.ts';
import type { EntityModel } from './model.ts';
import type { Report } from './problems.ts';

/** Every state known, reachable, and either terminal or with a way out. */
export function checkStates(entity: EntityModel, report: Report): void {
  const states = entity.states;
  if (!states) return;
  const names = states.list.map((state) => state.name);
  const known = (name: string, path: readonly PropertyKey[]): boolean => {
    if (names.includes(name)) return true;
    report(['states', ...path], `unknown state \`${name}\`${hint(name, names)}`);
    return false;
  };
  known(states.initial, ['initial']);
  for (const [index, name] of states.terminal.entries()) known(name, ['terminal', index]);
  const moves = new Map<string, Set<string>>();
  const given = new Set<string>();
  for (const [index, transition] of states.transitions.entries()) {
    const here = ['transitions', index] as const;
    known(transition.to, [...here, 'to']);
    for (const [at, name] of transition.from.entries()) {
      known(name, [...here, 'from', at]);
      if (states.terminal.includes(name))
        report(['states', ...here], `leads out of \`${name}\`, which is terminal`);
      if (given.has(`${name}>${transition.to}`))
        report(['states', ...here], `the transition from \`${name}\` to \`${transition.to}\` is given twice`);
      given.add(`${name}>${transition.to}`);
      moves.set(name, (moves.get(name) ?? new Set()).add(transition.to));
    }
  }
  const reached = new Set([states.initial]);
  for (const name of reached) for (const next of moves.get(name) ?? []) reached.add(next);
  for (const name of names) {
    if (!reached.has(name))
      report(
        ['states', 'list', name],
        `state \`${name}\` cannot be reached from \`${states.initial}\``,
        'key',
      );
    else if (!moves.has(name) && !states.terminal.includes(name))
      report(['states', 'list', name], `state \`${name}\` has no way out and is not terminal`, 'key');
  }
}
