import { z } from 'zod';
import { actionSchema, automationSchema, checkSchema } from './behaviour.ts';
import { fieldSchema } from './fields.ts';
import { numberingSchema, statesSchema, submittableSchema } from './life.ts';
import { name, role, text } from './names.ts';
import { permissionSchema, roleSchema } from './permissions.ts';
import { viewSchema } from './views.ts';

const permissions = z.array(permissionSchema).max(100).optional();

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
  comments: z.boolean().optional().describe('People may comment on a record; yes, but for child entities.'),
  attachments: z.boolean().optional().describe('Files may hang on a record; yes, but for child entities.'),
  permissions: permissions.describe("Who may do what; the app's, if absent."),
  numbering: numberingSchema.optional(),
  submittable: submittableSchema.optional(),
  states: statesSchema.optional(),
  checks: z.array(checkSchema).max(50).optional(),
  actions: z.record(name, actionSchema).optional(),
  automations: z.array(automationSchema).max(50).optional(),
  views: z.array(viewSchema).max(50).optional(),
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
  roles: z.record(role, roleSchema).optional().describe('Roles this app speaks of; all apps share them.'),
  permissions: permissions.describe('For entities of this app without permissions of their own.'),
  entities: z.record(name, entitySchema),
});

export type Entity = z.infer<typeof entitySchema>;
export type AppDefinition = z.infer<typeof appSchema>;

/** JSON Schema (2020-12) of an app file, for editors: kept in `operational-apps/app.schema.json`. */
export function appJsonSchema(): Record<string, unknown> {
  return {
    ...z.toJSONSchema(appSchema, { io: 'input', reused: 'ref' }),
    title: 'BAC Hub app',
  };
}
