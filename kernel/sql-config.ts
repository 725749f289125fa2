import { z } from 'zod';

/** Section `sql` of the configuration. */
export const sqlSchema = z
  .strictObject({
    host: z.string().default('127.0.0.1'),
    port: z.coerce.number().int().min(0).max(65_535).default(7433),
    /** PEM files. Without them there is no TLS, and whoever connects from elsewhere is refused. */
    tls: z.strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) }).optional(),
    maxConnections: z.coerce.number().int().min(1).max(10_000).default(100),
    /** Rows the semantic layer may answer for one statement; what needs more is refused. */
    maxRows: z.coerce.number().int().min(1000).max(1_000_000).default(500_000),
    maxStatementSeconds: z.coerce.number().min(1).max(3600).default(300),
  })
  .prefault({});
