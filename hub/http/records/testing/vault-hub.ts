import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { parseApps } from '#apps';
import { addTenant, createApiKey } from '../../../identity/index.ts';
import { type Answer, ask, type TestHub, testHub } from '../../testing.ts';
import {
  type Entity,
  type Facts,
  fieldRight,
  fillVault,
  markOf,
  maySee,
  principalOf,
  ROLES,
  type Role,
  type Row,
  TENANTS,
  type Tenant,
} from './vault.ts';

const FILE = fileURLToPath(new URL('vault.app.yaml', import.meta.url));
const [APP] = parseApps([{ file: 'vault.app.yaml', content: readFileSync(FILE, 'utf8') }]);
export const FIELDS: Readonly<Record<Entity, readonly string[]>> = {
  person: ['name', 'email', 'salary'],
  deal: ['name', 'region', 'amount', 'margin', 'contact', 'secret', 'status'],
  deal_line: ['title', 'price'],
  memo: ['title'],
  ledger: ['title'],
};
export const CASES = TENANTS.flatMap((tenant) => ROLES.map((role) => ({ tenant, role })));

export interface Vault {
  readonly hub: TestHub;
  readonly facts: Facts;
  key(role: Role, tenant: Tenant): string;
  seen(role: Role, tenant: Tenant, entity: Entity): Row[];
  rest(role: Role, tenant: Tenant, method: string, path: string, body?: unknown): Promise<Answer>;
  graphql(role: Role, tenant: Tenant, query: string, variables?: object): Promise<Answer>;
  /** Nothing of the other tenant, and no field that is hidden, anywhere in an answer. */
  clean(answer: Answer, role: Role, tenant: Tenant, entity: Entity): void;
}

/** A hub that serves the vault, for the tests of one file; what it gives is there once they run. */
export function vaultHub(options: { readonly semantic?: boolean; readonly modelDir?: string } = {}): Vault {
  let hub: TestHub;
  let facts: Facts;
  const keys = new Map<string, string>();
  beforeAll(async () => {
    hub = await testHub({ apps: [APP!], ...options });
    for (const tenant of TENANTS) await addTenant(hub.pool, { id: tenant, name: tenant });
    for (const { role, tenant } of CASES)
      keys.set(`${role} ${tenant}`, await createApiKey(hub.pool, principalOf(role, tenant)));
    facts = await fillVault(hub.pool);
  }, 120_000);
  afterAll(() => hub?.[Symbol.asyncDispose]());
  const key = (role: Role, tenant: Tenant): string => keys.get(`${role} ${tenant}`)!;
  const rest: Vault['rest'] = (role, tenant, method, path, body) =>
    ask(hub, method, path, { key: key(role, tenant), ...(body === undefined ? {} : { body }) });
  return {
    get hub() {
      return hub;
    },
    get facts() {
      return facts;
    },
    key,
    rest,
    seen: (role, tenant, entity) => facts[entity].filter((row) => maySee(role, tenant, entity, row, facts)),
    graphql: (role, tenant, query, variables = {}) =>
      rest(role, tenant, 'POST', '/graphql', { query, variables }),
    clean(answer, role, tenant, entity) {
      const other = TENANTS.find((one) => one !== tenant)!;
      expect(answer.text).not.toContain(markOf(other));
      expect(answer.text).not.toContain(`@${other}.example`);
      for (const field of FIELDS[entity]) {
        const right = fieldRight(role, entity, field);
        if (right === 'full') continue;
        for (const row of facts[entity])
          if (row.tenant === tenant && typeof row[field] === 'string' && String(row[field]).length > 3)
            expect(answer.text, `${field} of ${entity}`).not.toContain(`"${row[field]}"`);
      }
    },
  };
}

export const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map((row) => row.id).sort();
