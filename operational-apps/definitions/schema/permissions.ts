import { z } from 'zod';
import { expression, name, oneOrMore, role, text } from './names.ts';

/** Roles every hub has: any principal of the tenant, and those who may do everything in it. */
export const BUILT_IN_ROLES = ['everyone', 'owner', 'admin'] as const;

export const OPERATIONS = ['read', 'create', 'update', 'delete', 'export', 'import', 'comment'] as const;
export type Operation = (typeof OPERATIONS)[number];

export const roleSchema = z.union([
  text,
  z.strictObject({
    label: text,
    description: text.optional(),
    includes: z.array(role).optional().describe('Roles whose rights it has too.'),
  }),
]);

export const permissionSchema = z
  .strictObject({
    role: oneOrMore(role).describe('Who: one of these roles. `everyone`: any user of the tenant.'),
    can: z.union([z.literal('all'), z.array(z.enum(OPERATIONS)).min(1)]),
    where: expression
      .optional()
      .describe('Rows it speaks of; also held for a row as it is written. All rows, if absent.'),
    hide: z.array(name).optional().describe('Fields not to be read, filtered, sorted or grouped by.'),
    mask: z.array(name).optional().describe('Fields of which only a mask is shown.'),
    readonly: z.array(name).optional().describe('Fields not to be written.'),
    level: z.int().min(0).max(9).optional().describe('Fields up to this permission level; 0 if absent.'),
  })
  .describe('What roles may do. A principal has the union of all rules of its roles.');

export type PermissionDefinition = z.infer<typeof permissionSchema>;
