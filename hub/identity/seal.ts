import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { userError } from '#kernel';

/**
 * Keeps small secrets in the database so that a copy of it gives none away: AES-256-GCM (NIST SP 800-38D) under a
 * key derived by HKDF (RFC 5869). Stored as `sealed1:<key id>:<base64url of nonce, text, tag>`; `place` (whose
 * secret it is) is authenticated with it, so that one cannot be moved to another account.
 */
export interface Seal {
  /** The text as it is stored; without any secret as it is. */
  close(text: string, place: string): string;
  /** The stored text opened. One that was stored before there was a seal is returned as it is. SEAL_UNKNOWN (user). */
  open(stored: string, place: string): string;
  /** It is stored otherwise than `close` would: in clear, or under an older secret. */
  isOutdated(stored: string): boolean;
}

const SEALED = /^sealed1:([0-9a-f]{8}):([A-Za-z0-9_-]+)$/;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

/** The first secret closes; the others, older ones, still open. */
export function createSeal(secrets: readonly string[]): Seal {
  const keys = secrets.map(keyOf);
  const [current] = keys;
  return {
    close(text, place) {
      if (!current) return text;
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.bytes, nonce).setAAD(Buffer.from(place));
      const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `sealed1:${current.id}:${sealed.toString('base64url')}`;
    },
    open(stored, place) {
      const [, id, text] = SEALED.exec(stored) ?? [];
      if (id === undefined || text === undefined) return stored;
      const key = keys.find((one) => one.id === id);
      if (!key) throw unknown();
      const bytes = Buffer.from(text, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, NONCE_BYTES))
        .setAAD(Buffer.from(place))
        .setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const plain = [decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
        return Buffer.concat(plain).toString();
      } catch (cause) {
        throw unknown(cause);
      }
    },
    isOutdated: (stored) => current !== undefined && SEALED.exec(stored)?.[1] !== current.id,
  };
}

function keyOf(secret: string): Key {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'bac seal', 32));
  return { bytes, id: createHash('sha256').update(bytes).digest('hex').slice(0, 8) };
}

const unknown = (cause?: unknown): Error =>
  userError(
    'SEAL_UNKNOWN',
    'The second factor was stored under a secret that this hub does not have.',
    'Sign in with a recovery code, or ask an administrator for `bac users reset-totp`; see docs/identity.md.',
    cause,
  );
