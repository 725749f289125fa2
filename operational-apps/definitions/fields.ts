import { z } from 'zod';

/** Names of apps, entities, fields, states: they become SQL, GraphQL and warehouse names unchanged. */
export const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,39}$/,
    'must be a lower-case letter followed by up to 39 letters, digits or underscores',
  );

const text = z.string().min(1).max(500);

/** `account` (same app) or `crm.account`. */
const entityPath = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/, 'must be `entity` or `app.entity`');

const common = {
  label: text.optional().describe('Shown to people; derived from the name if absent.'),
  description: text.optional().describe('What it means: shown as help, stored as a comment in the database.'),
  required: z.boolean().optional().describe('A row must have a value.'),
  indexed: z
    .boolean()
    .optional()
    .describe('Often filtered or sorted by. References are indexed unless this says false.'),
  immutable: z.boolean().optional().describe('Set once, at creation.'),
  pii: z.boolean().optional().describe('Personal data: masked for whoever has no right to it.'),
  renamedFrom: name.optional().describe('Former name: the planner renames instead of dropping and adding.'),
};

const unique = z.boolean().optional().describe('No two rows of a tenant share the value.');
const precision = z.int().min(1).max(38);
const scale = z.int().min(0).max(20);
const number = z
  .union([z.number(), z.string()])
  .refine((value) => /^-?\d+(\.\d+)?$/.test(String(value)), 'must be a number in plain digits');
const computed = z
  .string()
  .max(500)
  .optional()
  .describe('Arithmetic over number fields of the same row: + - * / ( ) round abs coalesce least greatest.');

const words = <T extends string>(type: T) =>
  z.strictObject({
    type: z.literal(type),
    ...common,
    unique,
    default: z.string().optional().describe('A literal, or $currentUser.'),
  });

const options = z
  .record(z.string().min(1).max(63), text)
  .refine((map) => Object.keys(map).length > 0, 'needs at least one option')
  .describe('Stored value: label.');

/** Every field type with its own settings; anything else is refused. */
export const fieldSchema = z.discriminatedUnion('type', [
  words('text'),
  words('email'),
  words('phone'),
  words('url'),
  z.strictObject({ type: z.literal('richText'), ...common }),
  z.strictObject({ type: z.literal('integer'), ...common, unique, computed, default: z.int().optional() }),
  z.strictObject({
    type: z.literal('decimal'),
    ...common,
    unique,
    computed,
    precision,
    scale,
    default: number.optional(),
  }),
  z.strictObject({
    type: z.literal('money'),
    ...common,
    computed,
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR')
      .optional()
      .describe('Fixed currency.'),
    currencyField: name.optional().describe('Field of the same row that holds the currency.'),
    scale: scale.max(6).optional().describe('Digits after the point, 2 if absent.'),
    default: number.optional(),
  }),
  z.strictObject({ type: z.literal('boolean'), ...common, default: z.boolean().optional() }),
  z.strictObject({
    type: z.literal('date'),
    ...common,
    unique,
    default: z
      .string()
      .regex(/^(\$today|\d{4}-\d{2}-\d{2})$/, 'must be $today or YYYY-MM-DD')
      .optional(),
  }),
  z.strictObject({
    type: z.literal('dateTime'),
    ...common,
    unique,
    default: z
      .string()
      .regex(/^(\$now|\d{4}-\d{2}-\d{2}T.+Z)$/, 'must be $now or an instant such as 2026-01-31T12:00:00Z')
      .optional(),
  }),
  z.strictObject({ type: z.literal('select'), ...common, options, default: z.string().optional() }),
  z.strictObject({
    type: z.literal('multiSelect'),
    ...common,
    options,
    default: z.array(z.string()).optional(),
  }),
  z.strictObject({ type: z.literal('address'), ...common }),
  z.strictObject({ type: z.literal('json'), ...common }),
  z.strictObject({ type: z.literal('file'), ...common }),
  z.strictObject({ type: z.literal('reference'), ...common, unique, entity: entityPath }),
  z.strictObject({
    type: z.literal('anyReference'),
    ...common,
    entities: z.array(entityPath).min(1).describe('Entities one of whose rows it may point to.'),
  }),
  z.strictObject({
    type: z.literal('childTable'),
    label: common.label,
    description: common.description,
    entity: name.describe('Entity of this app whose rows belong to this one, in order.'),
  }),
]);

export type Field = z.infer<typeof fieldSchema>;
export type FieldType = Field['type'];

export const FIELD_TYPES: readonly FieldType[] = fieldSchema.options.map((option) => option.shape.type.value);
