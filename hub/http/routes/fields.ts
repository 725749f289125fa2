import { z } from 'zod';
import { TENANT_ID } from '../../identity/index.ts';

/** A name of a user, role or attribute. */
export const word = z.string().regex(/^[A-Za-z0-9_.:@-]{1,80}$/, 'Use 1 to 80 letters, digits or . : @ _ -');

export const tenantId = z
  .string()
  .regex(TENANT_ID, 'Use a lower-case letter, then up to 39 lower-case letters, digits, _ or -');

export const email = z.string().trim().toLowerCase().max(200).pipe(z.email('Give an e-mail address'));

export const roles = z.array(word).max(20);
export const attributes = z
  .record(word, z.union([z.string().max(500), z.number(), z.boolean()]))
  .refine((given) => Object.keys(given).length <= 50, 'At most 50 attributes');
export const scopes = z.array(z.enum(['read', 'write', 'admin'])).max(3);
export const displayName = z.string().trim().min(1).max(200);
export const password = z.string().min(1).max(256);
