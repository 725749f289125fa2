import { z } from 'zod';
import { entityPath, expression, name, text } from './names.ts';

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
  level: z
    .int()
    .min(0)
    .max(9)
    .optional()
    .describe('Permission level: for rules of this level or above only.'),
  editable: z
    .literal('afterSubmit')
    .optional()
    .describe('May still be written when the document has been submitted.'),
  visibleIf: expression.optional().describe('Shown only when this holds.'),
  requiredIf: expression.optional().describe('Must have a value when this holds.'),
};

const unique = z.boolean().optional().describe('No two rows of a tenant share the value.');
const precision = z.int().min(1).max(38);
const scale = z.int().min(0).max(20);
const number = z
  .union([z.number(), z.string()])
  .refine((value) => /^-?\d+(\.\d+)?$/.test(String(value)), 'must be a number in plain digits');
const computed = expression.optional().describe('Value of an expression, kept up to date with each write.');
const length = z.int().min(0).max(1_000_000);
const lengths = { minLength: length.optional(), maxLength: length.optional() };
const range = { min: number.optional(), max: number.optional() };
const day = /^\d{4}-\d{2}-\d{2}$/;
const instant = /^\d{4}-\d{2}-\d{2}T.+Z$/;
const between = (form: RegExp, message: string) => ({
  min: z.string().regex(form, message).optional(),
  max: z.string().regex(form, message).optional(),
});

const words = <T extends string>(type: T) =>
  z.strictObject({
    type: z.literal(type),
    ...common,
    ...lengths,
    unique,
    computed,
    pattern: z
      .string()
      .min(1)
      .max(300)
      .optional()
      .describe('Regular expression the whole value is tried with.'),
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
  z.strictObject({ type: z.literal('richText'), ...common, ...lengths }),
  z.strictObject({
    type: z.literal('integer'),
    ...common,
    ...range,
    unique,
    computed,
    default: z.int().optional(),
  }),
  z.strictObject({
    type: z.literal('decimal'),
    ...common,
    ...range,
    unique,
    computed,
    precision,
    scale,
    default: number.optional(),
  }),
  z.strictObject({
    type: z.literal('money'),
    ...common,
    ...range,
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
  z.strictObject({ type: z.literal('boolean'), ...common, computed, default: z.boolean().optional() }),
  z.strictObject({
    type: z.literal('date'),
    ...common,
    ...between(day, 'must be YYYY-MM-DD'),
    unique,
    computed,
    default: z
      .string()
      .regex(/^(\$today|\d{4}-\d{2}-\d{2})$/, 'must be $today or YYYY-MM-DD')
      .optional(),
  }),
  z.strictObject({
    type: z.literal('dateTime'),
    ...common,
    ...between(instant, 'must be an instant such as 2026-01-31T12:00:00Z'),
    unique,
    computed,
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
    visibleIf: common.visibleIf,
    entity: name.describe('Entity of this app whose rows belong to this one, in order.'),
  }),
]);

export type Field = z.infer<typeof fieldSchema>;
export type FieldType = Field['type'];

export const FIELD_TYPES: readonly FieldType[] = fieldSchema.options.map((option) => option.shape.type.value);
