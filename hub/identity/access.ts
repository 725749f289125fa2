import type { FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import { allows, HubError, type Principal } from '#kernel';
import { assertTenant } from './tenants.ts';

/** Roles that may everything inside their tenant. */
const BUILT_IN = ['owner', 'admin'];

const hasBuiltIn = (principal: Principal): boolean => principal.roles.some((role) => BUILT_IN.includes(role));

const denied = (code: string, message: string, next: string): HubError =>
  new HubError(code, message, { next, disposition: 'user' });

/** May this principal see to users, keys and the trail: of the hub (scope admin), or of its own tenant. */
export const administers = (principal: Principal): boolean =>
  allows(principal, 'admin') ||
  (principal.tenant !== null && hasBuiltIn(principal) && allows(principal, 'write'));

/**
 * Surfaces that show rows as they are stored, of all tenants together: SQL, tables, dead letters,
 * figures by table. Errors: TENANT_BOUND (user) for a principal that is confined to a tenant.
 */
export function assertNotTenantBound(principal: Principal): void {
  if (principal.tenant === null || allows(principal, 'admin')) return;
  throw denied(
    'TENANT_BOUND',
    'This shows rows of all tenants, and you are confined to one.',
    'Use the apps and their API, or ask an operator of the hub.',
  );
}

/**
 * The tenant a request is about: the principal's own; for a principal of no tenant the one that the
 * header `x-bac-tenant` names, or null (all). Errors: TENANT_DENIED (403) for another than one's own,
 * TENANT_NOT_FOUND (404).
 */
export async function tenantOf(
  pool: Pool,
  request: Pick<FastifyRequest, 'headers'>,
  principal: Principal,
): Promise<string | null> {
  const named = request.headers['x-bac-tenant'];
  if (named === undefined) return principal.tenant;
  if (typeof named !== 'string' || (principal.tenant !== null && named !== principal.tenant))
    throw tenantDenied();
  if (principal.tenant === null) await assertTenant(pool, named);
  return named;
}

export const tenantDenied = (): HubError =>
  denied('TENANT_DENIED', 'That tenant is not yours.', 'Leave the tenant out, or name your own.');

/** What an account or key is to have. */
export type Rights = Pick<Principal, 'tenant' | 'roles' | 'attributes' | 'scopes'> & {
  /** Its name, where a new one is given. */
  readonly user?: string;
};

/**
 * Nobody gives away more than he has. A tenant stays in its tenant; scopes are among the giver's own,
 * and `admin`, which reaches over tenants, is given by principals of no tenant only; roles and
 * attributes are free for those who may everything in the tenant, but the role `owner` is an owner's
 * to give. Errors: TENANT_DENIED, FORBIDDEN (user).
 */
export function assertMayGive(giver: Principal, rights: Rights): void {
  if (giver.tenant !== null && rights.tenant !== giver.tenant) throw tenantDenied();
  const scope = rights.scopes.find(
    (one) => !allows(giver, one) || (one === 'admin' && giver.tenant !== null),
  );
  if (scope) throw excess(`the right "${scope}"`);
  if (/^system(:|$)/i.test(rights.user ?? '')) throw excess('the name "system", which is the hub itself');
  if (rights.roles.includes('system')) throw excess('the role "system", which is the hub itself');
  if (allows(giver, 'admin')) return;
  const free = hasBuiltIn(giver);
  const role = rights.roles.find(
    (one) => !giver.roles.includes(one) && (!free || (one === 'owner' && !giver.roles.includes('owner'))),
  );
  if (role) throw excess(`the role "${role}"`);
  const attribute = Object.entries(rights.attributes).find(
    ([name, value]) => !free && giver.attributes[name] !== value,
  );
  if (attribute) throw excess(`that value of the attribute "${attribute[0]}"`);
}

const excess = (what: string): HubError =>
  denied('FORBIDDEN', `You cannot give away ${what}.`, 'Give what you have yourself, or less.');

/** What is left of a key's rights when its owner may no more than `owner`. */
export function boundBy(rights: Principal, owner: Principal): Principal {
  return {
    tenant: owner.tenant,
    user: owner.user,
    roles: hasBuiltIn(owner)
      ? rights.roles.filter((role) => role !== 'owner' || owner.roles.includes('owner'))
      : rights.roles.filter((role) => owner.roles.includes(role)),
    attributes: owner.attributes,
    scopes: rights.scopes.filter((scope) => allows(owner, scope)),
  };
}
