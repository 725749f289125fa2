import { ClickHouseError } from '@clickhouse/client';
import { type Disposition, HubError } from '#kernel';

/** ClickHouse's codes after which the same call may well succeed. */
const TRANSIENT = new Set([
  3, 159, 164_000, 202, 203, 209, 210, 236, 241, 242, 252, 279, 285, 319, 394, 425, 439, 999, 1000,
]);
/** ... and those which say that the statement, a name or the account is wrong. */
const USER = new Set([
  6, 10, 15, 16, 20, 26, 27, 32, 36, 38, 41, 42, 43, 44, 46, 47, 48, 50, 53, 56, 57, 60, 62, 63, 70, 72, 73,
  80, 81, 82, 115, 117, 130, 164, 192, 193, 194, 195, 215, 229, 349, 386, 456, 457, 497, 511, 516,
]);

const dispositionOf = (code: number): Disposition =>
  TRANSIENT.has(code) ? 'transient' : USER.has(code) ? 'user' : 'fatal';

const LOST = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
]);
const LOST_WORDS =
  /socket hang up|aborted|Timeout error|^Starting\.|socket was closed|before it was fully read/i;

/** A lost connection; `sent` is false when the request surely never reached the server. */
export class ConnectionLost extends HubError {
  readonly sent: boolean;

  constructor(cause: unknown, sent: boolean) {
    const reason = cause instanceof Error ? cause.message || codeOf(cause) : String(cause);
    super('WAREHOUSE_UNREACHABLE', `ClickHouse cannot be reached: ${reason}`, {
      disposition: 'transient',
      next: 'See `bac status` for whether the warehouse runs.',
      cause,
    });
    this.sent = sent;
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | null)?.code ?? '');

/** Anything `@clickhouse/client` throws, as the Warehouse port's errors; an abort stays what it is. */
export function warehouseError(thrown: unknown, signal?: AbortSignal): unknown {
  if (thrown instanceof HubError) return thrown;
  if (signal?.aborted) return signal.reason;
  if (thrown instanceof ClickHouseError) {
    const code = Number(thrown.code);
    return new HubError(`WAREHOUSE_${thrown.type ?? 'UNKNOWN'}`, thrown.message.trim(), {
      disposition: dispositionOf(code),
      details: { clickhouseCode: code },
      cause: thrown,
    });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = codeOf(thrown);
  if (LOST.has(code) || LOST_WORDS.test(message)) {
    const neverSent = code === 'ECONNREFUSED' || message.startsWith('Starting.');
    return new ConnectionLost(thrown, !neverSent);
  }
  return new HubError('WAREHOUSE_FAILED', message, { cause: thrown });
}
