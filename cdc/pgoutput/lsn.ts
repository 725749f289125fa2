import { HubError } from '#kernel';

/** `_version` keeps 52 bits of LSN (kernel/change-event.ts); PostgreSQL reaches that after 4 PiB of WAL. */
const MAX_LSN = 2 ** 52 - 1;

/** A position in the source's log as a number, exact up to 2^52. Errors: LSN_TOO_LARGE (fatal). */
export function lsnOf(high: number, low: number): number {
  const lsn = high * 4_294_967_296 + low;
  if (lsn > MAX_LSN) {
    throw new HubError('LSN_TOO_LARGE', `Position ${formatLsn(lsn)} is beyond 52 bits.`, {
      next: 'On YugabyteDB create the slot with LSN type SEQUENCE.',
    });
  }
  return lsn;
}

/** `16/B374D848`, as PostgreSQL writes it. */
export function formatLsn(lsn: number): string {
  const high = Math.floor(lsn / 4_294_967_296);
  return `${high.toString(16).toUpperCase()}/${(lsn - high * 4_294_967_296).toString(16).toUpperCase()}`;
}

/** Inverse of `formatLsn`. Errors: LSN_INVALID. */
export function parseLsn(text: string): number {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (!match) throw new HubError('LSN_INVALID', `"${text}" is not a log position.`);
  return lsnOf(Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16));
}
