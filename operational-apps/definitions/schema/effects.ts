import { z } from 'zod';
import { assignments, entityPath, expression, name, oneOrMore, role, rowsPath, text } from './names.ts';

const condition = { if: expression.optional().describe('Only when this holds.') };
const repeated = {
  ...condition,
  each: rowsPath.optional().describe('Once for each of these rows; `$each` is the row.'),
};

const child = z.strictObject({ ...repeated, values: assignments });

const set = z.strictObject({ set: assignments, ...condition }).describe('Writes fields of this record.');

const require_ = z
  .strictObject({ require: expression, message: text.optional() })
  .describe('Refuses the whole operation unless this holds.');

const create = z
  .strictObject({
    create: entityPath,
    ...repeated,
    values: assignments,
    children: z
      .record(name, oneOrMore(child))
      .optional()
      .describe('Rows of its child tables: one, or one for each of some rows.'),
    as: name.optional().describe('Later effects speak of the new record by this name: `$invoice.id`.'),
  })
  .describe('Makes a record of any entity.');

const update = z
  .strictObject({
    update: entityPath,
    ...repeated,
    match: assignments.describe('Fields (or `id`) whose values find the record.'),
    set: assignments.optional(),
    add: assignments.optional().describe('Number fields: the amount is added to what is stored.'),
    orCreate: assignments.optional().describe('If there is none: make one, with these values besides.'),
    optional: z.boolean().optional().describe('That there is none is no error.'),
  })
  .describe('Changes the record found by `match`.');

const transition = z
  .strictObject({
    transition: z.strictObject({
      record: expression
        .optional()
        .describe('Reference to the record; the row of `each` (or this record) if absent.'),
      name,
      input: assignments.optional(),
    }),
    ...repeated,
  })
  .describe('Does a transition of another record.');

const notify = z
  .strictObject({
    notify: z.strictObject({
      to: expression.optional().describe('User: the e-mail address.'),
      role: role.optional().describe('Everybody with this role.'),
      text: expression,
    }),
    ...repeated,
  })
  .describe('Puts a notification into the inbox of a user, or of all with a role.');

const webhook = z
  .strictObject({
    webhook: z.strictObject({
      url: z.url({ protocol: /^https?$/ }).max(2000),
      body: assignments,
    }),
    ...repeated,
  })
  .describe('Sends a signed HTTP request after the transaction, with retries.');

export const effectSchema = z.union([set, require_, create, update, transition, notify, webhook]);
export const effects = z
  .array(effectSchema)
  .max(50)
  .describe('In order, in the transaction of the operation.');

export const EFFECT_KINDS = [
  'set',
  'require',
  'create',
  'update',
  'transition',
  'notify',
  'webhook',
] as const;

export type EffectDefinition = z.infer<typeof effectSchema>;
