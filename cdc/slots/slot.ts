import type pg from 'pg';
import { HubError, pgLiteral, userError } from '#kernel';
import type { SourceProfile } from '../catalog/index.ts';
import { parseLsn } from '../pgoutput/index.ts';

export interface Slot {
  readonly name: string;
  /** False: it was there before and goes on where it was. */
  readonly created: boolean;
  /** Every transaction committed after this position will be streamed. */
  readonly consistentPoint: number;
}

export interface SlotStatus {
  readonly exists: boolean;
  readonly active: boolean;
  /** Position up to which changes are confirmed; null if the slot is not there. */
  readonly confirmedLsn: number | null;
  /** Bytes of WAL written since; null where positions are no byte offsets. */
  readonly lagBytes: number | null;
  /** Bytes of WAL the server keeps because of the slot. */
  readonly retainedBytes: number | null;
  /** reserved | extended | unreserved | lost (PostgreSQL 13 and later), else null. */
  readonly walStatus: string | null;
  /** The slot is marked to be carried over to standbys (PostgreSQL 17 and later), else null. */
  readonly failover: boolean | null;
  /** Where changes are kept for a limited time: how long the slot has not moved on, and the limit, ms. */
  readonly retention: { readonly ageMs: number; readonly limitMs: number } | null;
}

/** Slot names are unique in the whole cluster: the source's name is in it. */
export const slotNameOf = (source: string): string => `bac_${source}`;

interface SlotRow {
  readonly plugin: string;
  readonly database: string;
  readonly here: boolean;
  readonly active: boolean;
  readonly confirmed: string | null;
  readonly restart: string | null;
  readonly wal_status: string | null;
  readonly lsn_type: string | null;
  readonly failover: boolean | null;
  /** Milliseconds since the commit at which the slot stands (YugabyteDB). */
  readonly age_ms: number | null;
}

/** A hybrid time is microseconds since 1970, then 12 bits of a logical clock. */
const AGE_SQL = `GREATEST(0, extract(epoch FROM clock_timestamp()) * 1000
  - ((to_jsonb(s)->>'yb_restart_commit_ht')::numeric / 4096 / 1000))::float8`;

// Without parameters, so that it also runs on a replication connection, which has no extended protocol.
async function find(client: pg.ClientBase, name: string): Promise<SlotRow | null> {
  const { rows } = await client.query<SlotRow>(
    `SELECT s.plugin, s.database, s.database = current_database() AS here, s.active,
       s.confirmed_flush_lsn::text AS confirmed, s.restart_lsn::text AS restart, to_jsonb(s)->>'wal_status' AS wal_status,
       to_jsonb(s)->>'yb_lsn_type' AS lsn_type, (to_jsonb(s)->>'failover')::boolean AS failover,
       CASE WHEN to_jsonb(s)->>'yb_restart_commit_ht' IS NOT NULL THEN ${AGE_SQL} END AS age_ms
     FROM pg_replication_slots s WHERE s.slot_name = ${pgLiteral(name)}`,
  );
  return rows[0] ?? null;
}

/**
 * The logical slot of this name, made if it is not there. Making one waits until all transactions
 * then running have ended. `failover` (PostgreSQL 17 and later) carries it over to standbys. Works on a
 * normal and on a replication connection.
 * Errors: SLOT_TAKEN (user; another database or plugin uses the name), SLOT_LOST (fatal; the server
 * has removed WAL the slot still needed: drop it, make another, snapshot again), SLOTS_FULL (user).
 */
export async function ensureSlot(
  client: pg.ClientBase,
  name: string,
  profile: SourceProfile,
  { failover = false }: { readonly failover?: boolean } = {},
): Promise<Slot> {
  const found = await find(client, name);
  if (found) return { name, created: false, consistentPoint: assertUsable(name, found, profile) };
  try {
    // The function rather than the replication command: both kinds of server have it in the same form.
    // YugabyteDB's default LSN type is SEQUENCE; it gives no position here in its first versions.
    const { rows } = await client.query<{ lsn: string | null }>(
      `SELECT lsn::text AS lsn FROM pg_create_logical_replication_slot(${pgLiteral(name)}, '${profile.plugin}'${failover ? ', false, false, true' : ''})`,
    );
    return { name, created: true, consistentPoint: positionOf(rows[0]!.lsn) };
  } catch (error) {
    const { code } = error as { code?: string };
    // Another process made it in the meantime.
    if (code === '42710') return ensureSlot(client, name, profile, { failover });
    if (code === '53400') {
      throw userError(
        'SLOTS_FULL',
        'The server has no replication slot left.',
        'Raise max_replication_slots and restart the server, or drop slots that are not used (`SELECT * FROM pg_replication_slots`).',
        error,
      );
    }
    throw error;
  }
}

const positionOf = (lsn: string | null): number => (lsn === null ? 0 : parseLsn(lsn));

function assertUsable(name: string, slot: SlotRow, profile: SourceProfile): number {
  if (!slot.here || slot.plugin !== profile.plugin) {
    throw userError(
      'SLOT_TAKEN',
      `Replication slot "${name}" belongs to database "${slot.database}" and plugin "${slot.plugin}".`,
      'Give the source another name, or drop the slot if nothing uses it.',
    );
  }
  if (slot.lsn_type !== null && slot.lsn_type !== 'SEQUENCE') {
    throw userError(
      'SLOT_TAKEN',
      `Replication slot "${name}" has LSN type ${slot.lsn_type}: a keep-alive could confirm what has not arrived.`,
      'Drop it, so that one of type SEQUENCE can be made, or give the source another name.',
    );
  }
  if (!profile.byteLsn) return positionOf(slot.confirmed);
  if (slot.wal_status === 'lost' || slot.confirmed === null) {
    throw new HubError('SLOT_LOST', `The server has removed changes that slot "${name}" still needed.`, {
      next: 'A new slot and a new snapshot are needed; raise max_slot_wal_keep_size or keep the hub running.',
      details: { slot: name },
    });
  }
  return parseLsn(slot.confirmed);
}

/**
 * Removes the slot; nothing happens if it is not there. Errors: SLOT_ACTIVE (transient) while it is read;
 * on YugabyteDB also for minutes after (`ysql_cdc_active_replication_slot_window_ms`).
 */
export async function dropSlot(client: pg.ClientBase, name: string): Promise<void> {
  try {
    await client.query(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${pgLiteral(name)}`,
    );
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === '42704') return; // dropped by another session meanwhile
    if (code !== '55006') throw error;
    throw new HubError('SLOT_ACTIVE', `Replication slot "${name}" is being read.`, {
      next: 'Stop its reader first. YugabyteDB lets go of a slot up to five minutes after that; it is tried again.',
      disposition: 'transient',
      cause: error,
    });
  }
}

/** Where the slot stands and how much the server keeps for it. */
export async function slotStatus(
  client: pg.ClientBase,
  name: string,
  profile: SourceProfile,
): Promise<SlotStatus> {
  const slot = await find(client, name);
  const none = { lagBytes: null, retainedBytes: null, retention: null, failover: slot?.failover ?? null };
  if (!slot) return { exists: false, active: false, confirmedLsn: null, ...none, walStatus: null };
  const confirmedLsn = slot.confirmed === null ? null : parseLsn(slot.confirmed);
  if (!profile.byteLsn) {
    // The server computes wal_status from the LSN as if it were a byte offset: "lost" would mean nothing.
    const { retentionMs } = profile;
    const retention =
      retentionMs === null || slot.age_ms === null ? null : { ageMs: slot.age_ms, limitMs: retentionMs };
    const confirmed = { confirmedLsn: confirmedLsn ?? 0, walStatus: null };
    return { exists: true, active: slot.active, ...none, ...confirmed, retention };
  }
  const status = { exists: true, active: slot.active, ...none, confirmedLsn, walStatus: slot.wal_status };
  const { rows } = await client.query<{ lsn: string }>(
    'SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)::text AS lsn',
  );
  const now = parseLsn(rows[0]!.lsn);
  const behind = (lsn: number | null): number | null => (lsn === null ? null : Math.max(0, now - lsn));
  return {
    ...status,
    lagBytes: behind(confirmedLsn),
    retainedBytes: behind(slot.restart === null ? null : parseLsn(slot.restart)),
  };
}
