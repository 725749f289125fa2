import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Time-based one-time passwords, RFC 6238 over RFC 4226: HMAC-SHA-1, six digits, steps of 30 s; what
 * every authenticator app takes.
 */
const STEP_SECONDS = 30;
const DIGITS = 6;
/** Steps to either side that a clock may be off. */
const DRIFT = 1;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The code of `key` in time step `step`. Exported with its digits open for the RFC's test vectors. */
export function totp(
  key: Buffer,
  step: number,
  options: { readonly digits?: number; readonly hash?: string } = {},
): string {
  const { digits = DIGITS, hash = 'sha1' } = options;
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac(hash, key).update(counter).digest();
  const offset = mac.at(-1)! & 0x0f;
  const number = mac.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

export const stepAt = (ms: number): number => Math.floor(ms / 1000 / STEP_SECONDS);

/** The step whose code this is, among the present one and its neighbours; null = none. Constant time for each. */
export function matchingStep(secret: string, code: string, now: number): number | null {
  const given = Buffer.from(code);
  const key = fromBase32(secret);
  let found: number | null = null;
  for (let step = stepAt(now) - DRIFT; step <= stepAt(now) + DRIFT; step += 1) {
    const expected = Buffer.from(totp(key, step));
    if (expected.length === given.length && timingSafeEqual(expected, given)) found = step;
  }
  return found;
}

/** A fresh secret of 160 bits in base32. */
export const newSecret = (): string => toBase32(randomBytes(20));

/** What a QR code for authenticator apps says (the key URI format). */
export function otpauthUri(secret: string, login: string, issuer: string): string {
  const query = new URLSearchParams({
    secret,
    issuer,
    algorithm: 'SHA1',
    digits: String(DIGITS),
    period: '30',
  });
  return `otpauth://totp/${encodeURIComponent(issuer)}:${encodeURIComponent(login)}?${query.toString().replaceAll('+', '%20')}`;
}

/** RFC 4648 without padding. */
export function toBase32(bytes: Buffer): string {
  let text = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(buffer >>> bits) & 31];
    }
    buffer &= (1 << bits) - 1;
  }
  return bits > 0 ? text + BASE32[(buffer << (5 - bits)) & 31] : text;
}

export function fromBase32(text: string): Buffer {
  const bytes: number[] = [];
  let buffer = 0;
  let bits = 0;
  for (const letter of text) {
    buffer = (buffer << 5) | BASE32.indexOf(letter);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((buffer >>> bits) & 255);
      buffer &= (1 << bits) - 1;
    }
  }
  return Buffer.from(bytes);
}
