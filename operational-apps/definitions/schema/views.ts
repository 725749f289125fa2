import { z } from 'zod';
import { entityPath, expression, name, text } from './names.ts';

const common = { name, label: text.optional(), description: text.optional() };
const sort = z
  .array(z.string().regex(/^-?[a-z][a-z0-9_]*$/, 'must be a field, with `-` in front for descending order'))
  .min(1)
  .max(3)
  .optional()
  .describe('Fields; `-` in front for descending order.');
const filter = expression.optional().describe('Rows shown.');
const fields = z.array(name).optional();

export const viewSchema = z.discriminatedUnion('type', [
  z.strictObject({ ...common, type: z.literal('list'), fields, sort, filter }),
  z.strictObject({
    ...common,
    type: z.literal('kanban'),
    by: name.describe('State or select field: a column for each value.'),
    title: name.optional(),
    fields,
    sort,
    filter,
  }),
  z.strictObject({
    ...common,
    type: z.literal('calendar'),
    from: name.describe('Date or date-time field.'),
    to: name.optional(),
    title: name.optional(),
    filter,
  }),
  z.strictObject({
    ...common,
    type: z.literal('form'),
    sections: z.array(z.strictObject({ label: text.optional(), fields: z.array(name).min(1) })).min(1),
  }),
  z.strictObject({
    ...common,
    type: z.literal('detail'),
    fields,
    related: z
      .array(
        z.strictObject({
          entity: entityPath,
          by: name.describe('Its reference to this entity.'),
          label: text.optional(),
          fields,
          sort,
        }),
      )
      .optional()
      .describe('Records that refer to this one.'),
    metrics: z
      .array(
        z.strictObject({
          label: text,
          measure: z.string().regex(/^[a-z][a-z0-9_.]*$/, 'must be the name of a measure'),
          filter: expression.optional(),
        }),
      )
      .optional()
      .describe('Figures from the warehouse.'),
  }),
]);

export type View = z.infer<typeof viewSchema>;
