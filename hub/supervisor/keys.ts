import { hkdfSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Pool } from 'pg';
import { type Logger, type Principal, userError } from '#kernel';
import { createApiKey, installApiKey } from '../identity/index.ts';
import type { StateFolder } from '../state/index.ts';

const OWNER: Principal = {
  tenant: null,
  user: 'owner',
  roles: ['owner'],
  attributes: {},
  scopes: ['read', 'write', 'admin'],
};
/** No scope at all: enough for `/metrics`, and for nothing that shows data. */
const SCRAPER: Principal = { tenant: null, user: 'metrics', roles: [], attributes: {}, scopes: [] };

type Environment = Readonly<Record<string, string | undefined>>;

/** The key in `<name>`, or in the file that `<name>_FILE` names (a mounted secret); null = none. */
function given(env: Environment, name: string): string | null {
  const file = env[`${name}_FILE`];
  const text = env[name] ?? (file === undefined ? undefined : readSecret(name, file));
  return text === undefined || text.trim() === '' ? null : text.trim();
}

function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw userError(
      'KEY_MISSING',
      `The file of ${name}_FILE cannot be read.`,
      'Mount it, or leave it out.',
      cause,
    );
  }
}

/**
 * Sees to the keys a hub comes with. BAC_OWNER_KEY and BAC_METRICS_KEY (or `..._FILE`) are installed,
 * for replicas that share no folder; otherwise the owner's key is made once and kept in the state
 * folder, for commands on this machine. Returns a secret that all replicas with the same owner key
 * share, to sign browser sessions with; null without one; and what seals secrets in the database: derived
 * from the owner's key, else kept in the state folder. BAC_OWNER_KEY_PREVIOUS opens what was sealed under
 * the key before. No key is ever logged.
 */
export async function prepareKeys(
  pool: Pool,
  folder: StateFolder | null,
  logger: Logger,
  env: Environment = process.env,
): Promise<{ sessionSecret: string | null; sealSecrets: readonly string[] }> {
  const owner = given(env, 'BAC_OWNER_KEY');
  const metrics = given(env, 'BAC_METRICS_KEY');
  const previous = given(env, 'BAC_OWNER_KEY_PREVIOUS');
  const sealSecrets = [owner, previous, folder?.secret('seal-key') ?? null].filter((one) => one !== null);
  if (metrics !== null) await installApiKey(pool, metrics, 'metrics', SCRAPER);
  if (owner !== null) {
    await installApiKey(pool, owner, 'owner', OWNER);
    return {
      sessionSecret: Buffer.from(hkdfSync('sha256', owner, '', 'bac session', 32)).toString('base64url'),
      sealSecrets,
    };
  }
  if (folder) await keepOwnKey(pool, folder);
  else logger.warn('no owner key: set BAC_OWNER_KEY, or use a key that was made before');
  return { sessionSecret: null, sealSecrets };
}

async function keepOwnKey(pool: Pool, folder: StateFolder): Promise<void> {
  if (existsSync(folder.keyFile)) {
    const id = readFileSync(folder.keyFile, 'utf8').trim().split('.')[0];
    const { rowCount } = await pool.query('SELECT 1 FROM bac.api_keys WHERE id = $1 AND revoked_at IS NULL', [
      id,
    ]);
    if (rowCount === 1) return;
  }
  writeFileSync(folder.keyFile, `${await createApiKey(pool, OWNER)}\n`, { mode: 0o600 });
}
