import { readFile } from 'node:fs/promises';
import type { Pool } from 'pg';
import { allows, type Config, type Logger, type SemanticLayer, userError } from '#kernel';
import { openSqlApi, type SqlApi } from '#semantic';
import { forbidden, Limiter, principalOfPassword, rateLimited, visitorOf } from '../identity/index.ts';

export interface SqlOptions {
  readonly config: Config['sql'];
  readonly pool: Pool;
  readonly layer: SemanticLayer;
  readonly logger: Logger;
  /** Of this process, kept from one to the next. */
  readonly cacheDir?: string;
}

/** Wrong passwords of one visitor. */
const TRIES = { perSecond: 0.2, burst: 10 };

/** Opens the SQL API: the password is an API key of the hub, the user name is free. */
export async function startSql({ config, pool, layer, logger, cacheDir }: SqlOptions): Promise<SqlApi> {
  const limiter = new Limiter();
  const principalOf = principalOfPassword(pool);
  const tls = config.tls && { cert: await pem(config.tls.certFile), key: await pem(config.tls.keyFile) };
  return openSqlApi({
    layer,
    host: config.host,
    port: config.port,
    ...(tls ? { tls } : {}),
    maxConnections: config.maxConnections,
    maxRows: config.maxRows,
    maxStatementMs: config.maxStatementSeconds * 1000,
    ...(cacheDir === undefined ? {} : { cacheDir }),
    log: logger,
    async authenticate(_user, password, address) {
      const principal = await principalOf(password);
      if (principal && !allows(principal, 'read')) throw forbidden('read');
      if (principal) return principal;
      const wait = limiter.take(visitorOf(address), TRIES);
      if (wait > 0) throw rateLimited(wait);
      return null;
    },
  });
}

async function pem(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw userError(
      'SQL_TLS_UNREADABLE',
      `The file ${file} cannot be read.`,
      'Mend sql.tls in bac.yaml.',
      cause,
    );
  }
}
