import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { refusal } from '../engine/index.ts';
import type { RequestParameters } from './request.ts';

export interface Account {
  readonly user: string;
  readonly password: string;
  readonly readonly: boolean;
}

/** The account of a request: basic auth, X-ClickHouse-User/Key or user/password in the URL. */
export function authenticate(
  request: IncomingMessage,
  parameters: RequestParameters,
  accounts: readonly Account[],
): Account {
  const { user, password } = credentials(request, parameters);
  const account = accounts.find((candidate) => same(candidate.user, user));
  const matches = same(account?.password ?? '', password);
  if (account && matches) return account;
  throw refusal(
    516,
    'AUTHENTICATION_FAILED',
    `${user}: Authentication failed: password is incorrect, or there is no user with such name`,
  );
}

function credentials(
  request: IncomingMessage,
  parameters: RequestParameters,
): { user: string; password: string } {
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const text = Buffer.from(basic, 'base64').toString();
    const colon = text.indexOf(':');
    if (colon >= 0) return { user: text.slice(0, colon), password: text.slice(colon + 1) };
  }
  if (parameters.user === null && parameters.password === null) {
    throw refusal(194, 'REQUIRED_PASSWORD', 'Authentication is required: name a user and password');
  }
  return { user: parameters.user ?? 'default', password: parameters.password ?? '' };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
const same = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b));

/** Settings by which a read-only account shapes its answer; it may change no other. */
const HARMLESS =
  /^(output_format_|format_|date_time_output_format$|enable_http_compression$|http_|send_progress_in_http_headers$|readonly$|log_comment$)/;

export function refuseSettings(account: Account, settings: ReadonlyMap<string, string>): void {
  if (!account.readonly) return;
  for (const name of settings.keys()) {
    if (HARMLESS.test(name)) continue;
    throw refusal(164, 'READONLY', `Cannot modify '${name}' setting in readonly mode`);
  }
}
