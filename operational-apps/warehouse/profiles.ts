import { createHash } from 'node:crypto';
import {
  type AccessProfile,
  allows,
  everythingProfile,
  type Principal,
  type TableAccess,
  topicOf,
  type WarehouseTable,
} from '#kernel';
import { type App, byName, NotInWarehouse } from '../definitions/index.ts';
import { createCatalogue } from '../runtime/model/catalogue.ts';
import { createPolicy } from '../runtime/model/policy.ts';
import { columnAccess } from './columns.ts';
import { createRowRules, GIVEN } from './rows.ts';

export interface WarehouseAccessOptions {
  readonly apps: readonly App[];
  /** Source that captures the database of the apps: a table of another source is no app's, whatever its name. */
  readonly source: string;
  /** All captured tables. */
  readonly tables: readonly WarehouseTable[];
}

/** Told of a table that somebody may read where its records are, and not in the warehouse, and why. */
export interface Unreadable {
  readonly entity: string;
  readonly reason: string;
}

export interface WarehouseAccess {
  /** The same object for the same rights, until definitions or tables are others. */
  profileOf(principal: Principal): AccessProfile;
  /** Of the profiles made so far. */
  unreadable(profile: AccessProfile): readonly Unreadable[];
}

const MOST_PROFILES = 500;

/**
 * What principals may read of the warehouse, from the apps' definitions: the same rows and fields as of the
 * records themselves. Principals of no tenant, who reach the warehouse by SQL as well, read everything.
 */
export function createWarehouseAccess({ apps, source, tables }: WarehouseAccessOptions): WarehouseAccess {
  const catalogue = createCatalogue(apps);
  const policy = createPolicy(catalogue);
  const all = byName(apps);
  const byTopic = new Map(tables.map((table) => [table.topic, table]));
  const tableOf = ({ app, name }: { app: string; name: string }): WarehouseTable | undefined =>
    byTopic.get(topicOf({ source, schema: app, table: name }));
  const profiles = new Map<string, AccessProfile>();
  const unreadable = new WeakMap<AccessProfile, Unreadable[]>();
  const everything = everythingProfile(tables);
  const nothing: AccessProfile = { id: 'nothing', tables: new Map(), params: () => ({}) };

  function make(principal: Principal): AccessProfile {
    const { roles, rights: rightsOf } = policy.profile(principal);
    const rules = createRowRules(all, roles, tableOf);
    const access = new Map<string, TableAccess>();
    const refused: Unreadable[] = [];
    for (const entity of catalogue.entities.values()) {
      const table = tableOf(entity.model);
      const rights = rightsOf(entity);
      if (!table || !rights.read) continue;
      try {
        const filter = rules.filterOf(entity.model);
        if (filter === null) continue;
        access.set(table.topic, { readable: true, filter, columns: columnAccess(entity, rights, table) });
      } catch (error) {
        if (!(error instanceof NotInWarehouse)) throw error;
        refused.push({ entity: entity.path, reason: `Its rule speaks of ${error.message}.` });
      }
    }
    const profile = { id: idOf(access), tables: access, params: parametersOf(access) };
    unreadable.set(profile, refused);
    return profile;
  }

  return {
    profileOf(principal) {
      if (!allows(principal, 'read')) return nothing;
      if (principal.tenant === null) return everything;
      const key = policy.profile(principal).roles.join();
      let profile = profiles.get(key);
      if (!profile) {
        if (profiles.size >= MOST_PROFILES) profiles.clear();
        profile = make(principal);
        profiles.set(key, profile);
      }
      return profile;
    },
    unreadable: (profile) => unreadable.get(profile) ?? [],
  };
}

function idOf(access: ReadonlyMap<string, TableAccess>): string {
  const text = JSON.stringify(
    [...access].map(([topic, { filter, columns }]) => [topic, filter, [...columns]]),
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

const PARAMETER = /\{bac_(\w+):/g;

/** Values of the parameters the rules name: what is not in the SQL makes no two questions different. */
function parametersOf(access: ReadonlyMap<string, TableAccess>): AccessProfile['params'] {
  const named = new Set<string>();
  for (const { filter } of access.values())
    for (const [, name] of (filter ?? '').matchAll(PARAMETER)) named.add(name!);
  return (principal) => {
    const now = new Date().toISOString();
    return Object.fromEntries([...named].map((name) => [`bac_${name}`, parameterOf(name, principal, now)]));
  };
}

function parameterOf(name: string, principal: Principal, now: string): string {
  switch (name) {
    case 'tenant':
      return principal.tenant ?? '';
    case 'user':
      return principal.user;
    case 'now':
      return now.slice(0, -1).replace('T', ' ');
    case 'today':
      return now.slice(0, 10);
    default: {
      const value = principal.attributes[name.slice('attr_'.length)];
      return value === undefined ? '' : `${GIVEN}${value}`;
    }
  }
}
