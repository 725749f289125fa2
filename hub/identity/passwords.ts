import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { HubError, userError } from '#kernel';

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/**
 * scrypt with N = 2^15, r = 8, p = 3: 32 MiB and some 150 ms of one core for a guess; one of the
 * settings the OWASP password storage cheat sheet counts as equal to its first choice.
 */
const COST = { ln: 15, r: 8, p: 3 } as const;
const BYTES = 32;
const STORED = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

export const SHORTEST_PASSWORD = 12;
export const LONGEST_PASSWORD = 256;

/** Hashes at work, and waiting: guesses must not take all the memory or all the cores. */
const AT_ONCE = 2;
const WAITING = 32;
let running = 0;
const waiting: (() => void)[] = [];

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running >= AT_ONCE) {
    if (waiting.length >= WAITING) {
      throw new HubError('BUSY', 'Too many sign-ins are under way.', {
        next: 'Try again in a moment.',
        disposition: 'transient',
      });
    }
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

const hash = (password: string, salt: Buffer, { ln, r, p }: { ln: number; r: number; p: number }) =>
  inTurn(() =>
    derive(password.normalize('NFKC'), salt, BYTES, { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r }),
  );

/** `$scrypt$ln=15,r=8,p=3$salt$hash`, both parts in base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await hash(password, salt, COST);
  return `$scrypt$ln=${COST.ln},r=${COST.r},p=${COST.p}$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

/** What stands in for the password of an account that has none, so that it takes as long to refuse. */
const NOBODYS = `$scrypt$ln=${COST.ln},r=${COST.r},p=${COST.p}$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/**
 * Whether `password` is the one stored. Without one stored it is never right, and takes as long.
 * Errors: BUSY (transient) when too many are checked at once.
 */
export async function passwordMatches(password: string, stored: string | null): Promise<boolean> {
  const [, ln, r, p, salt, key] = STORED.exec(stored ?? NOBODYS) ?? STORED.exec(NOBODYS)!;
  const cost = { ln: Math.min(Number(ln), 20), r: Number(r), p: Number(p) };
  const given = await hash(password, Buffer.from(salt!, 'base64url'), cost);
  return timingSafeEqual(given, Buffer.from(key!, 'base64url')) && stored !== null;
}

/** True for hashes made with other parameters than today's: made anew at the next sign-in. */
export const isOutdated = (stored: string): boolean =>
  !stored.startsWith(`$scrypt$ln=${COST.ln},r=${COST.r},p=${COST.p}$`);

/** PASSWORD_WEAK (user) for a password too short, made of few characters, or out of the login. */
export function checkPassword(password: string, login: string): void {
  const lower = password.toLowerCase();
  const name = login.split('@')[0]!;
  const problem =
    password.length < SHORTEST_PASSWORD
      ? `it needs at least ${SHORTEST_PASSWORD} characters`
      : password.length > LONGEST_PASSWORD
        ? `it may have at most ${LONGEST_PASSWORD} characters`
        : new Set(lower).size < 5
          ? 'it has too few different characters'
          : lower.includes(login) || (name.length >= 4 && lower.replace(name, '').length < 8)
            ? 'it is made of the account’s name'
            : null;
  if (problem === null) return;
  throw userError('PASSWORD_WEAK', `The password cannot be taken: ${problem}.`, 'Choose a longer one.');
}
