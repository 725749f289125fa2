import type { WarehouseTable } from '#kernel';
import { parseApps } from '../../definitions/index.ts';

/** An app whose roles see some fields, others masked, others not at all. */
export const vaultApps = parseApps([
  {
    file: 'vault.yaml',
    content: `
app: { name: vault, label: Vault }
roles: { viewer: Viewer, seller: Seller }
permissions: [{ role: viewer, can: [read] }]
entities:
  deal:
    description: What is sold.
    titleField: name
    states:
      initial: open
      list: { open: Open, won: Won }
      terminal: [won]
      transitions: [{ from: open, to: won }]
    permissions:
      - { role: viewer, can: [read], mask: [amount, contact], hide: [secret] }
      - { role: seller, can: [read], where: owner.email = $user, hide: [secret] }
    fields:
      name: { type: text }
      amount: { type: money, currency: EUR }
      contact: { type: email }
      secret: { type: text }
      grade: { type: integer, level: 1 }
      owner: { type: reference, entity: person }
      place: { type: address }
  person:
    titleField: email
    fields: { email: { type: email } }
`,
  },
]);

const table = (name: string, columns: readonly string[]): WarehouseTable => ({
  topic: `business.vault.${name}`,
  database: 'business',
  table: `vault_${name}`,
  foreignKeys: [],
  schema: {
    source: 'business',
    schema: 'vault',
    table: name,
    version: 1,
    keyRule: 'primary-key',
    key: ['id'],
    fullIdentity: false,
    columns: columns.map((column, at) => ({
      name: column,
      attnum: at + 1,
      type:
        column === 'amount'
          ? { kind: 'numeric', precision: 18, scale: 2, sourceType: 'numeric(18,2)' }
          : { kind: 'text', sourceType: 'text' },
      nullable: true,
      fill: null,
    })),
  },
});

/** `forgotten` is in the table and in no definition any more. */
export const vaultTables = [
  table('deal', ['id', 'tenant_id', 'name', 'amount', 'contact', 'secret', 'grade', 'forgotten']),
  table('person', ['id', 'tenant_id', 'email']),
];
