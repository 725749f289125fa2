import { z } from 'zod';
import { effects } from './effects.ts';
import { inputSchema } from './life.ts';
import { duration, expression, name, role, text } from './names.ts';

export const checkSchema = z
  .strictObject({
    name,
    rule: expression.describe('Must hold for every row.'),
    when: expression.optional().describe('Only for rows of which this holds.'),
    message: text.optional(),
  })
  .describe('A rule over the fields of a row, or over its child rows.');

export const actionSchema = z
  .strictObject({
    label: text.optional(),
    description: text.optional(),
    roles: z.array(role).optional().describe('Who may do it; everybody who may update, if absent.'),
    guard: expression.optional(),
    guardMessage: text.optional(),
    input: inputSchema.optional(),
    effects: effects.min(1),
  })
  .describe('An operation of its own on one record.');

const trigger = z.union([
  z.strictObject({
    after: name.describe('Date or date-time field that says when.'),
    plus: duration.optional().describe('This much later (or, with a minus, earlier).'),
  }),
  z.strictObject({ created: z.literal(true) }),
  z.strictObject({ changed: z.array(name).min(1).describe('One of these fields has another value.') }),
  z.strictObject({ enters: name.describe('State the record comes into.') }),
  z.strictObject({ deleted: z.literal(true) }),
]);

export const automationSchema = z
  .strictObject({
    name,
    label: text.optional(),
    description: text.optional(),
    when: trigger,
    if: expression.optional(),
    effects: effects.min(1),
  })
  .describe('Effects that follow when a record changes, or when time passes.');

export type CheckDefinition = z.infer<typeof checkSchema>;
export type ActionDefinition = z.infer<typeof actionSchema>;
export type AutomationDefinition = z.infer<typeof automationSchema>;
