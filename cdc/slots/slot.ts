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
}

// Without parameters, so that it also runs on a replication connection, which has no extended protocol.
async function find(client: pg.ClientBase, name: string): Promise<SlotRow | null> {
  const { rows } = await client.query<SlotRow>(
    `SELECT s.plugin, s.database, s.database = current_database() AS here, s.active,
       s.confirmed_flush_lsn::text AS confirmed, s.restart_lsn::text AS restart, to_jsonb(s)->>'wal_status' AS wal_status
     FROM pg_replication_slots s WHERE s.slot_name = ${pgLiteral(name)}`,
  );
  return rows[0] ?? null;
}

/**
 * The logical slot of this name, made if it is not there. Making one waits until all transactions
 * then running have ended. Works on a normal and on a replication connection.
 * Errors: SLOT_TAKEN (user; another database or plugin uses the name), SLOT_LOST (fatal; the server
 * has removed WAL the slot still needed: drop it, make another, snapshot again), SLOTS_FULL (user).
 */
export async function ensureSlot(client: pg.ClientBase, name: string, profile: SourceProfile): Promise<Slot> {
  const found = await find(client, name);
  if (found) return { name, created: false, consistentPoint: assertUsable(name, found) };
  try {
    // The function rather than the replication command: both kinds of server have it in the same form.
    const { rows } = await client.query<{ lsn: string }>(
      `SELECT lsn::text AS lsn FROM pg_create_logical_replication_slot(${pgLiteral(name)}, 'pgoutput')`,
    );
    return { name, created: true, consistentPoint: parseLsn(rows[0]!.lsn) };
  } catch (error) {
    const { code } = error as { code?: string };
    // Another process made it in the meantime.
    if (code === '42710') return ensureSlot(client, name, profile);
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

function assertUsable(name: string, slot: SlotRow): number {
  if (!slot.here || slot.plugin !== 'pgoutput') {
    throw userError(
      'SLOT_TAKEN',
      `Replication slot "${name}" belongs to database "${slot.database}" and plugin "${slot.plugin}".`,
      'Give the source another name, or drop the slot if nothing uses it.',
    );
  }
  if (slot.wal_status === 'lost' || slot.confirmed === null) {
    throw new HubError('SLOT_LOST', `The server has removed changes that slot "${name}" still needed.`, {
      next: 'A new slot and a new snapshot are needed; raise max_slot_wal_keep_size or keep the hub running.',
      details: { slot: name },
    });
  }
  return parseLsn(slot.confirmed);
}

/** Removes the slot; nothing happens if it is not there. Errors: SLOT_ACTIVE (transient) while it is read. */
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
      next: 'Stop its reader first.',
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
  const none = { lagBytes: null, retainedBytes: null };
  if (!slot) return { exists: false, active: false, confirmedLsn: null, ...none, walStatus: null };
  const confirmedLsn = slot.confirmed === null ? null : parseLsn(slot.confirmed);
  const status = { exists: true, active: slot.active, confirmedLsn, walStatus: slot.wal_status };
  if (!profile.byteLsn) return { ...status, ...none };
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
