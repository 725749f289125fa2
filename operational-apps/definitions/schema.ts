import { z } from 'zod';
import { fieldSchema, name } from './fields.ts';

const text = z.string().min(1).max(500);
const role = z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must be a role name in lower case');

const state = z.union([text, z.strictObject({ label: text, description: text.optional() })]);

const transition = z.strictObject({
  from: z.union([name, z.array(name).min(1)]),
  to: name,
  label: text.optional(),
  roles: z.array(role).optional().describe('Who may do it; everybody who may update, if absent.'),
});

export const statesSchema = z
  .strictObject({
    field: name.default('status').describe('Name of the field that holds the state.'),
    initial: name,
    list: z.record(name, state).describe('State: label.'),
    terminal: z.array(name).default([]).describe('States without a way out.'),
    transitions: z.array(transition).default([]),
  })
  .describe('The life of a row: its states and the moves between them.');

export const numberingSchema = z
  .strictObject({
    field: name.default('number').describe('Name of the field that holds the number.'),
    prefix: z.string().max(20).default(''),
    digits: z.int().min(1).max(18).default(6),
    start: z.int().min(1).default(1),
  })
  .describe('A running number per tenant, such as SO-000123.');

export const entitySchema = z.strictObject({
  label: text.optional(),
  plural: text.optional(),
  description: text.optional(),
  titleField: name.optional().describe('Field that stands for the row in lists and links.'),
  searchFields: z.array(name).optional(),
  unique: z
    .array(z.array(name).min(2))
    .optional()
    .describe('Groups of fields no two rows of a tenant share the values of.'),
  tenantScoped: z.boolean().default(true).describe('Rows belong to one tenant (the default).'),
  numbering: numberingSchema.optional(),
  states: statesSchema.optional(),
  renamedFrom: name.optional(),
  fields: z.record(name, fieldSchema),
});

export const appSchema = z.strictObject({
  $schema: z.string().optional(),
  app: z.strictObject({
    name,
    label: text,
    description: text.optional(),
  }),
  entities: z.record(name, entitySchema),
});

export type States = z.infer<typeof statesSchema>;
export type Numbering = z.infer<typeof numberingSchema>;
export type Entity = z.infer<typeof entitySchema>;
export type AppDefinition = z.infer<typeof appSchema>;

/** JSON Schema (2020-12) of an app file, for editors: kept in `operational-apps/app.schema.json`. */
export function appJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(appSchema, { io: 'input', reused: 'ref' }),
    title: 'BAC Hub app',
  };
}
