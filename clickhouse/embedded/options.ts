import { z } from 'zod';

/** What the parent sends the engine's process as its first message. */
export const childOptionsSchema = z.strictObject({
  dir: z.string().min(1),
  port: z.number().int().min(0).max(65_535),
  user: z.string().min(1),
  password: z.string(),
  readonlyUser: z.string().min(1).optional(),
  readonlyPassword: z.string().optional(),
  sessions: z.number().int().min(2).max(64),
  maxMemoryBytes: z.number().int().positive(),
  configFile: z.string().min(1).optional(),
});

export type ChildOptions = z.infer<typeof childOptionsSchema>;

/** What the engine's process answers. */
export const childMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), port: z.number() }),
  z.strictObject({
    type: z.literal('failed'),
    code: z.string(),
    message: z.string(),
    next: z.string().optional(),
  }),
]);

export type ChildMessage = z.infer<typeof childMessageSchema>;
