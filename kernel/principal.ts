/**
 * Who acts. Every surface resolves one before it does anything, internal callers included;
 * `system` is the hub itself and never comes from outside.
 */
export interface Principal {
  readonly tenant: string | null;
  readonly user: string;
  readonly roles: readonly string[];
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly scopes: readonly Scope[];
}

export type Scope = 'read' | 'write' | 'admin';

export const systemPrincipal = (role: string): Principal => ({
  tenant: null,
  user: `system:${role}`,
  roles: ['system'],
  attributes: {},
  scopes: ['read', 'write', 'admin'],
});

export const allows = (principal: Principal, scope: Scope): boolean =>
  principal.scopes.includes(scope) || principal.scopes.includes('admin');
