import type pg from 'pg';
import type { Principal } from '#kernel';

/**
 * What the matrix of leaks stands on: two tenants with the same people and deals, one principal per role and
 * tenant, and what each may see, written down here by hand and not derived from the definition.
 */
export const TENANTS = ['north', 'south'] as const;
export type Tenant = (typeof TENANTS)[number];
export const ROLES = ['none', 'viewer', 'seller', 'manager', 'auditor', 'admin'] as const;
export type Role = (typeof ROLES)[number];
export const ENTITIES = ['person', 'deal', 'deal_line', 'memo', 'ledger'] as const;
export type Entity = (typeof ENTITIES)[number];
const REGIONS = ['hills', 'coast', 'plain'] as const;
const STATES = ['open', 'won', 'lost'] as const;

export type Row = { readonly id: string; readonly tenant: Tenant } & Readonly<
  Record<string, string | boolean | null>
>;
export type Facts = Readonly<Record<Entity, readonly Row[]>>;

const userOf = (tenant: Tenant, n: number): string => `user${n}@${tenant}.example`;

export const principalOf = (role: Role, tenant: Tenant): Principal => ({
  tenant,
  user: role === 'none' ? userOf(tenant, 9) : userOf(tenant, 1),
  roles: role === 'none' ? [] : [role],
  attributes: { region: 'coast' },
  scopes: ['read', 'write'],
});

/** Every text of a tenant's rows begins with this: seen anywhere by the other tenant, it is a leak. */
export const markOf = (tenant: Tenant): string => `mark-${tenant}`;

/** Fills the tables as their owner and gives back what is in them. */
export async function fillVault(client: pg.Client | pg.Pool): Promise<Facts> {
  for (const tenant of TENANTS) {
    const mark = markOf(tenant);
    const people: string[] = [];
    for (let n = 1; n <= 3; n += 1) {
      const { rows } = await client.query<{ id: string }>(
        'INSERT INTO vault.person (tenant_id, name, email, salary) VALUES ($1, $2, $3, $4) RETURNING id',
        [tenant, `${mark} person ${n}`, userOf(tenant, n), `${n * 1000}.00`],
      );
      people.push(rows[0]!.id);
    }
    for (let n = 0; n < 27; n += 1) {
      const { rows } = await client.query<{ id: string }>(
        `INSERT INTO vault.deal (tenant_id, number, status, name, owner_id, region, amount, margin, contact, secret)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`,
        [
          tenant,
          `D-${String(n + 1).padStart(5, '0')}`,
          STATES[Math.floor(n / 9)],
          `${mark} deal ${n}`,
          people[n % 3],
          REGIONS[Math.floor(n / 3) % 3],
          `${(n + 1) * 100}.00`,
          `${n + 1}.50`,
          `${mark}-${n}@contact.example`,
          `${mark} secret ${n}`,
        ],
      );
      for (let line = 1; line <= 2; line += 1)
        await client.query(
          'INSERT INTO vault.deal_line (tenant_id, deal_id, position, title, price) VALUES ($1, $2, $3, $4, $5)',
          [tenant, rows[0]!.id, line, `${mark} line ${n}.${line}`, `${n}.0${line}`],
        );
      await client.query(
        'INSERT INTO vault.memo (tenant_id, title, deal_id, about_type, about_id) VALUES ($1, $2, $3, $4, $5)',
        [tenant, `${mark} memo ${n}`, rows[0]!.id, 'vault.deal', rows[0]!.id],
      );
    }
    await client.query('INSERT INTO vault.ledger (tenant_id, title) VALUES ($1, $2)', [
      tenant,
      `${mark} ledger`,
    ]);
    await client.query(
      `INSERT INTO vault.numbering_series (tenant_id, series, last_value) VALUES ($1, 'deal', 27)`,
      [tenant],
    );
  }
  return readVault(client);
}

export async function readVault(client: pg.Client | pg.Pool): Promise<Facts> {
  const read = async (sql: string): Promise<Row[]> => (await client.query<Row>(sql)).rows;
  return {
    person: await read('SELECT id, tenant_id AS tenant, name, email, salary FROM vault.person'),
    deal: await read(
      `SELECT d.id, d.tenant_id AS tenant, d.name, p.email AS owner, d.region, d.status, d.amount, d.margin, d.contact, d.secret
       FROM vault.deal d JOIN vault.person p ON p.id = d.owner_id`,
    ),
    deal_line: await read(
      'SELECT id, tenant_id AS tenant, deal_id AS deal, title, price FROM vault.deal_line',
    ),
    memo: await read('SELECT id, tenant_id AS tenant, title, deal_id AS deal FROM vault.memo'),
    ledger: await read('SELECT id, tenant_id AS tenant, title FROM vault.ledger'),
  };
}

/** May the principal of this role and tenant read this row? */
export function maySee(role: Role, tenant: Tenant, entity: Entity, row: Row, facts: Facts): boolean {
  if (row.tenant !== tenant || role === 'none') return false;
  if (role === 'admin') return true;
  if (entity === 'ledger') return false;
  if (role === 'manager') return true;
  const me = principalOf(role, tenant);
  switch (entity) {
    case 'person':
      return role === 'auditor' || row.email === me.user;
    case 'deal':
      if (role === 'seller') return row.owner === me.user;
      return role === 'viewer' ? row.region === 'coast' : row.status !== 'open';
    case 'deal_line': {
      const parent = facts.deal.find((deal) => deal.id === row.deal)!;
      return maySee(role, tenant, 'deal', parent, facts);
    }
    default:
      return false;
  }
}

export type FieldRight = 'full' | 'masked' | 'hidden';

/** How much of a field of rows it may see the role is shown. */
export function fieldRight(role: Role, entity: Entity, field: string): FieldRight {
  if (role === 'admin' || role === 'manager') return 'full';
  if (entity === 'person') {
    if (field === 'salary') return 'hidden';
    return field === 'email' && role === 'auditor' ? 'masked' : 'full';
  }
  if (entity === 'deal') {
    if (field === 'secret') return 'hidden';
    if (field === 'margin') return role === 'auditor' ? 'full' : 'hidden';
    if (field === 'contact') return role === 'viewer' ? 'masked' : 'full';
  }
  return 'full';
}

/** Does any rule let the role do this to some rows of its tenant? */
export function mayDo(
  role: Role,
  entity: Entity,
  operation: 'read' | 'create' | 'update' | 'delete' | 'export' | 'import',
): boolean {
  if (role === 'none') return false;
  if (role === 'admin') return true;
  if (entity === 'ledger') return false;
  if (role === 'manager') return true;
  if (entity === 'memo') return false;
  if (entity === 'person') return operation === 'read' || (operation === 'export' && role === 'auditor');
  if (role === 'seller') return operation !== 'export';
  return operation === 'read' || operation === 'export';
}
