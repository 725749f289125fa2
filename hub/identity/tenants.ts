import type { Pool } from 'pg';
import { userError } from '#kernel';

export interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
}

/** What a tenant's id may be: it appears in rows, headers and addresses. */
export const TENANT_ID = /^[a-z][a-z0-9_-]{0,39}$/;

/** Adds a tenant. TENANT_EXISTS (user) if it is there. */
export async function addTenant(pool: Pool, tenant: Pick<Tenant, 'id' | 'name'>): Promise<void> {
  if (!(await ensureTenant(pool, tenant)))
    throw userError('TENANT_EXISTS', `There is a tenant "${tenant.id}" already.`, 'See `bac tenants list`.');
}

/** Sees to it that the tenant is there, and leaves it alone if it is; true when it was added. */
export async function ensureTenant(pool: Pool, tenant: Pick<Tenant, 'id' | 'name'>): Promise<boolean> {
  const { rowCount } = await pool.query(
    'INSERT INTO bac.tenants (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING',
    [tenant.id, tenant.name],
  );
  return rowCount === 1;
}

/** All tenants, or the one given, by id; at most 10,000. */
export async function listTenants(pool: Pool, only: string | null): Promise<Tenant[]> {
  const { rows } = await pool.query<{ id: string; name: string; created_at: Date }>(
    `SELECT id, name, created_at FROM bac.tenants WHERE $1::text IS NULL OR id = $1 ORDER BY id LIMIT 10000`,
    [only],
  );
  return rows.map(({ id, name, created_at }) => ({ id, name, createdAt: created_at.toISOString() }));
}

/** TENANT_NOT_FOUND (user) unless there is such a tenant. */
export async function assertTenant(pool: Pool, id: string): Promise<void> {
  const { rowCount } = TENANT_ID.test(id)
    ? await pool.query('SELECT 1 FROM bac.tenants WHERE id = $1', [id])
    : { rowCount: 0 };
  if (rowCount !== 1)
    throw userError('TENANT_NOT_FOUND', 'There is no such tenant.', 'See `bac tenants list`.');
}
