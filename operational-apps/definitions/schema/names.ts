import { z } from 'zod';

/** Names of apps, entities, fields, states: they become SQL, GraphQL and warehouse names unchanged. */
export const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]{0,39}$/,
    'must be a lower-case letter followed by up to 39 letters, digits or underscores',
  );

export const text = z.string().min(1).max(500);

/** `account` (same app) or `crm.account`. */
export const entityPath = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/, 'must be `entity` or `app.entity`');

export const role = z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must be a role name in lower case');

export const oneOrMore = <T extends z.ZodType>(schema: T) => z.union([schema, z.array(schema).min(1)]);

/** Kept as text; parsed and typed by the checks, which know the entity. A bare YAML number or boolean is one too. */
export const expression = z
  .union([z.string().min(1).max(2000), z.number(), z.boolean(), z.null()])
  .transform((value) => String(value))
  .describe('Expression, see docs/apps.md.');

export const assignments = z.record(name, expression).describe('Field: expression of its value.');

/** Rows of a child table, or rows of another entity that refer to this one. */
export const rowsPath = z
  .string()
  .regex(
    /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?(\[[a-z][a-z0-9_]*\])?$/,
    'must be a child table, or an entity that refers to this one: `lines`, `crm.activity`, `crm.activity[account]`',
  );

export const duration = z
  .string()
  .regex(/^[-+]?\d{1,6}[mhd]$/, 'must be minutes, hours or days such as 30m, -2h, 7d');
