import { z } from 'zod';
import { effects } from './effects.ts';
import { fieldSchema } from './fields.ts';
import { expression, name, oneOrMore, role, text } from './names.ts';

const color = z.string().regex(/^([a-z]{3,20}|#[0-9a-f]{6})$/, 'must be a colour name or #rrggbb');

const state = z.union([
  text,
  z.strictObject({ label: text, description: text.optional(), color: color.optional() }),
]);

export const inputSchema = z
  .record(name, fieldSchema)
  .describe('Asked of the person who does it; `$input.<name>` in expressions.');

export const transitionSchema = z.strictObject({
  name: name.optional().describe('Name of the operation; the state it leads to, if absent.'),
  from: oneOrMore(name),
  to: name,
  label: text.optional(),
  description: text.optional(),
  roles: z.array(role).optional().describe('Who may do it; everybody who may update, if absent.'),
  guard: expression.optional().describe('Must hold, else the transition is refused.'),
  guardMessage: text.optional(),
  input: inputSchema.optional(),
  effects: effects.optional(),
});

export const statesSchema = z
  .strictObject({
    field: name.default('status').describe('Name of the field that holds the state.'),
    initial: name,
    list: z.record(name, state).describe('State: label.'),
    terminal: z.array(name).default([]).describe('States without a way out.'),
    transitions: z.array(transitionSchema).default([]),
  })
  .describe('The life of a row: its states and the moves between them.');

export const submittableSchema = z
  .strictObject({
    draft: z.array(name).min(1).describe('Freely edited and deleted.'),
    submitted: z.array(name).min(1).describe('Fixed, but for fields with `editable: afterSubmit`.'),
    cancelled: z.array(name).default([]).describe('Fixed for good; amending makes a new draft.'),
  })
  .describe('A document that is fixed once submitted. Every state is in one of the three lists.');

export const numberingSchema = z
  .strictObject({
    field: name.default('number').describe('Name of the field that holds the number.'),
    prefix: z.string().max(20).default(''),
    digits: z.int().min(1).max(18).default(6),
    start: z.int().min(1).default(1),
    gapless: z
      .boolean()
      .default(false)
      .describe('No number is ever missing: writers of the series wait for each other.'),
  })
  .describe('A running number per tenant, such as SO-000123.');

export type States = z.infer<typeof statesSchema>;
export type TransitionDefinition = z.infer<typeof transitionSchema>;
export type Submittable = z.infer<typeof submittableSchema>;
export type Numbering = z.infer<typeof numberingSchema>;
