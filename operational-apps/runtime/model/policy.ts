import { LRUCache } from 'lru-cache';
import { allows, type Principal } from '#kernel';
import type { App, Operation, PermissionModel } from '../../definitions/index.ts';
import type { Identity } from '../sessions/index.ts';
import type { Rights } from '../types.ts';
import type { Catalogue, EntityInfo, FieldInfo } from './catalogue.ts';

/** Whoever has one of these may do everything in the tenant. `system` is the hub itself. */
export const POWERFUL: readonly string[] = ['owner', 'admin', 'system'];
const MOST_PROFILES = 200;
const MOST_COMPILED = 200;

type FieldRight = 'hidden' | 'masked' | 'readonly' | 'write';

/** What principals with the same roles and scopes have in common. */
export interface Profile {
  readonly catalogue: Catalogue;
  /** The roles with all they include; `owner` is added to the hub itself. */
  readonly roles: readonly string[];
  rights(entity: EntityInfo): Rights;
  /** What was compiled for these rights, by what it was compiled from. */
  readonly compiled: LRUCache<string, object>;
}

export interface Policy {
  profile(principal: Principal): Profile;
  /** The principal as the database's policies see it in its tenant: one object as long as the principal is. */
  identity(principal: Principal): Identity;
}

/** What principals may do, by the definitions alone; which rows is for the database's policies to say. */
export function createPolicy(catalogue: Catalogue): Policy {
  const includes = includedRoles(catalogue.apps);
  const byPrincipal = new WeakMap<Principal, Profile>();
  const identities = new WeakMap<Principal, Identity>();
  const profiles = new LRUCache<string, Profile>({ max: MOST_PROFILES });
  const rolesOf = (principal: Principal): readonly string[] => {
    const roles = new Set<string>();
    const add = (role: string): void => {
      if (roles.has(role)) return;
      roles.add(role);
      for (const one of includes.get(role) ?? []) add(one);
    };
    for (const role of principal.roles) add(role);
    if (roles.has('system')) add('owner');
    return [...roles].sort();
  };
  const createProfile = (roles: readonly string[], scopes: Scopes): Profile => {
    const all = new Set(roles);
    const rights = new Map<EntityInfo, Rights>();
    return {
      catalogue,
      roles,
      compiled: new LRUCache({ max: MOST_COMPILED }),
      rights(entity) {
        let found = rights.get(entity);
        if (!found) {
          found = decide(catalogue, entity, all, scopes);
          // What is asked of a person for an operation looks like an entity, made anew each time.
          if (catalogue.entities.get(entity.path) === entity) rights.set(entity, found);
        }
        return found;
      },
    };
  };
  const profileOf = (principal: Principal): Profile => {
    const known = byPrincipal.get(principal);
    if (known) return known;
    const roles = rolesOf(principal);
    const scopes = { read: allows(principal, 'read'), write: allows(principal, 'write') };
    const key = `${scopes.read} ${scopes.write} ${JSON.stringify(roles)}`;
    let profile = profiles.get(key);
    if (!profile) {
      profile = createProfile(roles, scopes);
      profiles.set(key, profile);
    }
    byPrincipal.set(principal, profile);
    return profile;
  };
  return {
    profile: profileOf,
    identity(principal) {
      const known = identities.get(principal);
      if (known) return known;
      const { tenant, user, attributes } = principal;
      if (tenant === null) throw new Error('a principal without a tenant acts');
      const identity = { tenant, user, roles: profileOf(principal).roles, attributes };
      identities.set(principal, identity);
      return identity;
    },
  };
}

interface Scopes {
  readonly read: boolean;
  readonly write: boolean;
}

function includedRoles(apps: readonly App[]): Map<string, Set<string>> {
  const includes = new Map<string, Set<string>>();
  for (const app of apps)
    for (const role of app.roles) {
      const all = includes.get(role.name) ?? new Set();
      for (const one of role.includes) all.add(one);
      includes.set(role.name, all);
    }
  return includes;
}

function decide(
  catalogue: Catalogue,
  entity: EntityInfo,
  roles: ReadonlySet<string>,
  scopes: Scopes,
): Rights {
  const powerful = POWERFUL.some((role) => roles.has(role));
  const has = (wanted: readonly string[]): boolean =>
    powerful || wanted.some((role) => role === 'everyone' || roles.has(role));
  const rulesOf = (of: EntityInfo): PermissionModel[] =>
    of.model.permissions.filter((rule) => has(rule.roles));
  // The rows of a child table are their parent's: who may change it may change them.
  let top = entity;
  while (top.parent) top = catalogue.entity(top.parent.path);
  const rules = rulesOf(top);
  const can = (operation: Operation): boolean =>
    (operation === 'read' || operation === 'export' ? scopes.read : scopes.write) &&
    (powerful || rules.some((rule) => rule.can.includes(operation)));
  const own = entity === top ? rules : rulesOf(entity);
  const read = can('read');
  const update = can('update');
  const child = entity !== top;
  const fields: Record<string, FieldRight> = {};
  for (const field of entity.fields.values())
    fields[field.name] = powerful
      ? fieldRight(field, 'write')
      : fieldRight(field, ruledRight(field, own.length > 0 ? own : rules));
  return {
    read,
    create: child ? update || can('create') : can('create'),
    update,
    delete: child ? update : can('delete'),
    export: read && can('export'),
    import: can('import'),
    comment: can('comment'),
    fields,
    transitions: (entity.model.states?.transitions ?? [])
      .filter((one) => scopes.write && (one.roles ? has(one.roles) : update))
      .map((one) => one.name),
    actions: entity.model.actions
      .filter((one) => scopes.write && (one.roles ? has(one.roles) : update))
      .map((one) => one.name),
  };
}

const ORDER: readonly FieldRight[] = ['hidden', 'masked', 'readonly', 'write'];

const fieldRight = (field: FieldInfo, right: FieldRight): FieldRight =>
  right === 'write' && field.fixed ? 'readonly' : right;

/**
 * Rules that hold for every row are united. Rules that hold for some rows only count where there is none
 * of the former, and then the narrowest of them: which rows they speak of is not known here.
 */
function ruledRight(field: FieldInfo, rules: readonly PermissionModel[]): FieldRight {
  const reading = combine(
    rules,
    (rule) => rule.can.includes('read'),
    (rule) => readRight(field, rule),
  );
  const writing = combine(
    rules,
    (rule) => rule.can.includes('update') || rule.can.includes('create'),
    (rule) => writeRight(field, rule),
  );
  return reading === 'readonly' && writing === 'write' ? 'write' : reading;
}

function combine(
  rules: readonly PermissionModel[],
  speaks: (rule: PermissionModel) => boolean,
  right: (rule: PermissionModel) => FieldRight,
): FieldRight {
  const speaking = rules.filter(speaks);
  const general = speaking.filter((rule) => rule.where === undefined);
  const ranks = (general.length > 0 ? general : speaking).map((rule) => ORDER.indexOf(right(rule)));
  if (ranks.length === 0) return 'hidden';
  return ORDER[general.length > 0 ? Math.max(...ranks) : Math.min(...ranks)]!;
}

const levelOf = (field: FieldInfo): number =>
  field.model && 'level' in field.model ? (field.model.level ?? 0) : 0;

function readRight(field: FieldInfo, rule: PermissionModel): FieldRight {
  if (rule.hide.includes(field.name) || levelOf(field) > rule.level) return 'hidden';
  return rule.mask.includes(field.name) ? 'masked' : 'readonly';
}

const writeRight = (field: FieldInfo, rule: PermissionModel): FieldRight =>
  readRight(field, rule) === 'readonly' && !rule.readonly.includes(field.name) ? 'write' : 'readonly';

/** Everything: for tests that show that the database's policies hold by themselves. */
export function allRights(entity: EntityInfo): Rights {
  return {
    read: true,
    create: true,
    update: true,
    delete: true,
    export: true,
    import: true,
    comment: true,
    fields: Object.fromEntries(
      [...entity.fields.values()].map((field) => [field.name, fieldRight(field, 'write')]),
    ),
    transitions: (entity.model.states?.transitions ?? []).map((one) => one.name),
    actions: entity.model.actions.map((one) => one.name),
  };
}
