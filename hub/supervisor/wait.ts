import pg from 'pg';
import { type Config, type Logger, toHubError, userError } from '#kernel';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
const ATTEMPT_MS = 5_000;

/** Refused, not found, in the middle of starting or stopping: the server may yet come. */
const MAY_COME = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  '57P03',
  '57P01',
  '53300',
  'LOG_UNREACHABLE',
]);

/**
 * Repeats `probe` with growing pauses until it succeeds: containers of one stack start in any order.
 * Errors: at once what waiting cannot mend (a wrong password), after `startTimeoutSeconds`
 * SERVER_UNREACHABLE (user); the signal's reason when the start is aborted.
 */
export async function waitForServer(
  what: string,
  probe: () => Promise<void>,
  at: { readonly config: Config; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const until = performance.now() + at.config.startTimeoutSeconds * 1000;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    at.signal.throwIfAborted();
    try {
      return await orAborted(probe(), AbortSignal.any([at.signal, AbortSignal.timeout(ATTEMPT_MS)]));
    } catch (cause) {
      at.signal.throwIfAborted();
      const reason = toHubError(cause).message || String((cause as { code?: unknown }).code);
      if (!mayCome(cause) || performance.now() + pause > until) {
        throw userError(
          'SERVER_UNREACHABLE',
          `${what} cannot be used: ${reason}.`,
          'Check its address, user and password, and that it runs; BAC_START_TIMEOUT sets how long to wait for it.',
          cause,
        );
      }
      at.logger.warn({ server: what, reason, pause }, 'not there yet, waiting');
      await orAborted(new Promise((resolve) => setTimeout(resolve, pause)), at.signal);
    }
  }
}

/** One connection, opened and closed. */
export async function answersPostgres(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: ATTEMPT_MS,
    application_name: 'bac up',
  });
  client.on('error', () => {}); // reported by the call that meets it
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end();
  }
}

/** `work`, or the signal's reason as soon as it aborts; `work` itself is left to end by itself. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  aborted.promise.catch(() => {});
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}

function mayCome(cause: unknown): boolean {
  const { code, message, errors } = cause as { code?: unknown; message?: string; errors?: unknown[] };
  if (errors?.some(mayCome)) return true; // one per address of the host
  if (typeof code !== 'string')
    return /time-?out|terminated|does not answer|starting up/i.test(message ?? '');
  return MAY_COME.has(code) || code.startsWith('08');
}
