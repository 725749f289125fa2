import type { Column, ColumnType, EntityDescription, ForeignKey, WarehouseTable } from '#kernel';

type Columns = Readonly<Record<string, string>>;

const TYPES: Readonly<Record<string, ColumnType>> = {
  id: { kind: 'int8', sourceType: 'bigint' },
  number: { kind: 'int4', sourceType: 'integer' },
  text: { kind: 'text', sourceType: 'text' },
  money: { kind: 'numeric', precision: 18, scale: 2, sourceType: 'numeric(18,2)' },
  time: { kind: 'timestamptz', sourceType: 'timestamp with time zone' },
  date: { kind: 'date', sourceType: 'date' },
  flag: { kind: 'bool', sourceType: 'boolean' },
  uuid: { kind: 'uuid', sourceType: 'uuid' },
  bytes: { kind: 'bytes', sourceType: 'bytea' },
  json: { kind: 'json', sourceType: 'jsonb' },
  wide: { kind: 'numeric', precision: 90, scale: 2, sourceType: 'numeric(90,2)' },
  tags: { kind: 'array', element: { kind: 'text', sourceType: 'text' }, sourceType: 'text[]' },
};

function table(
  topic: string,
  columns: Columns,
  options: { key?: readonly string[]; foreignKeys?: readonly ForeignKey[] } = {},
): WarehouseTable {
  const [source, schema, name] = topic.split('.') as [string, string, string];
  const key = options.key ?? ['id'];
  return {
    topic,
    database: source,
    table: schema === 'public' ? name : `${schema}_${name}`,
    foreignKeys: options.foreignKeys ?? [],
    schema: {
      source,
      schema,
      table: name,
      version: 1,
      keyRule: key.length > 0 ? 'primary-key' : 'whole-row',
      key,
      fullIdentity: key.length === 0,
      columns: Object.entries(columns).map(
        ([column, type], index): Column => ({
          name: column,
          attnum: index + 1,
          type: TYPES[type]!,
          nullable: !key.includes(column),
          fill: null,
          ...(column === 'placed_at' ? { comment: 'When the customer ordered.' } : {}),
        }),
      ),
    },
  };
}

const tables: WarehouseTable[] = [
  table('business.crm.customer', {
    id: 'id',
    tenant_id: 'text',
    name: 'text',
    kind: 'text',
    parent_id: 'id',
    tags: 'tags',
  }),
  table('business.crm.order', {
    id: 'id',
    tenant_id: 'text',
    status: 'text',
    customer_id: 'id',
    payer_id: 'id',
    total: 'money',
    currency: 'text',
    tax_percent: 'money',
    fiscal_year: 'number',
    paid: 'flag',
    placed_at: 'time',
    due_on: 'date',
  }),
  table('business.crm.order_line', { id: 'id', order_id: 'id', position: 'number', pieces: 'number' }),
  table(
    'legacy.public.Weird Table',
    {
      'a-key': 'uuid',
      b: 'number',
      count: 'number',
      blob: 'bytes',
      doc: 'json',
      huge: 'wide',
      order: 'text',
      owner: 'id',
    },
    {
      key: ['a-key', 'b'],
      foreignKeys: [
        { columns: ['owner', 'b'], to: 'legacy.public.owners', toColumns: ['id', 'region'] },
        { columns: ['b'], to: 'legacy.public.log', toColumns: ['line'] },
      ],
    },
  ),
  table('legacy.public.owners', { id: 'id', region: 'number', name: 'text' }, { key: ['id', 'region'] }),
  table('legacy.public.log', { line: 'text', amount: 'number' }, { key: [] }),
];

const field = (
  column: string,
  label: string,
  type: string,
  rest: object = {},
): EntityDescription['fields'][number] => ({
  column,
  label,
  type,
  ...rest,
});

const entities: EntityDescription[] = [
  {
    app: 'crm',
    appLabel: 'CRM',
    name: 'customer',
    label: 'Customer',
    plural: 'Customers',
    description: 'Who buys from us.',
    schema: 'crm',
    table: 'customer',
    titleField: 'name',
    fields: [
      field('name', 'Name', 'text'),
      field('kind', 'Kind', 'select', {
        options: [
          { value: 'vip', label: 'Very important' },
          { value: 'plain', label: 'Plain' },
        ],
      }),
      field('parent_id', 'Group', 'reference', { reference: 'crm.customer' }),
      field('tags', 'Tags', 'multiSelect'),
    ],
  },
  {
    app: 'crm',
    appLabel: 'CRM',
    name: 'order',
    label: 'Order',
    plural: 'Orders',
    schema: 'crm',
    table: 'order',
    fields: [
      field('customer_id', 'Customer', 'reference', { reference: 'crm.customer' }),
      field('payer_id', 'Payer', 'reference', { reference: 'crm.customer' }),
      field('total', 'Total', 'money', { format: 'currency', unit: 'currency', description: 'With tax.' }),
      field('tax_percent', 'Tax', 'decimal', { unit: '%' }),
      field('due_on', 'Due', 'date'),
    ],
    states: { column: 'status', names: ['open', 'paid'] },
  },
  {
    app: 'crm',
    appLabel: 'CRM',
    name: 'order_line',
    label: 'Order line',
    plural: 'Order lines',
    schema: 'crm',
    table: 'order_line',
    parent: 'crm.order',
    fields: [field('pieces', 'Pieces', 'integer')],
  },
];

/** A small shop of an app, and a database of somebody else with names and types as they come. */
export const shop = { tables, entities };
