import type { App, EntityModel, PermissionModel } from '../definitions/index.ts';

/**
 * How who may do what changes, in words: one line for each rule that comes or goes. `before` has only the
 * apps in force of those in `after`.
 */
export function policyChanges(before: readonly App[], after: readonly App[]): string[] {
  const old = new Set(before.flatMap(rulesOf));
  const now = new Set(after.flatMap(rulesOf));
  return [
    ...[...now].filter((line) => !old.has(line)).map((line) => `from now on: ${line}`),
    ...[...old].filter((line) => !now.has(line)).map((line) => `no longer: ${line}`),
  ];
}

const rulesOf = (app: App): string[] => [
  ...app.roles.flatMap(({ name, includes }) =>
    includes.length > 0 ? [`${name} has all rights of ${list(includes)}`] : [],
  ),
  ...app.entities.flatMap(entityRules),
];

function entityRules(entity: EntityModel): string[] {
  const at = `${entity.app}.${entity.name}`;
  const parent = entity.owner;
  const rules =
    entity.permissions.length > 0
      ? entity.permissions.map((rule) => `${at}: ${ruleText(rule)}`)
      : [`${at}: ${parent ? `as ${entity.app}.${parent.entity}` : 'nobody but owners and admins'}`];
  const moves = (entity.states?.transitions ?? []).flatMap(({ name, roles }) =>
    roles && roles.length > 0 ? [`${at}: ${name} is only for ${list(roles)}`] : [],
  );
  const actions = entity.actions.flatMap(({ name, roles }) =>
    roles && roles.length > 0 ? [`${at}: ${name} is only for ${list(roles)}`] : [],
  );
  return [...rules, ...moves, ...actions];
}

function ruleText({ roles, can, where, hide, mask, readonly, level }: PermissionModel): string {
  const parts = [
    `${list(roles)} may ${list(can)}${where === undefined ? '' : ` where ${where}`}`,
    ...(hide.length > 0 ? [`not shown ${list(hide)}`] : []),
    ...(mask.length > 0 ? [`masked ${list(mask)}`] : []),
    ...(readonly.length > 0 ? [`not written ${list(readonly)}`] : []),
    ...(level > 0 ? [`fields up to level ${level}`] : []),
  ];
  return parts.join('; ');
}

const list = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
