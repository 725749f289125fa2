import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { ChangeLog, HubError, StoredRecord, TableId } from '#kernel';

export interface DeadLetter {
  readonly partition: number;
  readonly record: StoredRecord;
  readonly error: HubError;
}

/** Open dead letters a table may have; one more stops the table. */
export const MAX_OPEN = 1000;

/**
 * The record with the generation it belongs to written into its source block, where only its place in the log
 * tells it: replayed, it stands at another place, and must not override a newer generation's rows.
 */
export function stamped(record: StoredRecord, generation: number | undefined): StoredRecord {
  const at = record.value?.lastIndexOf(SOURCE) ?? -1;
  if (generation === undefined || record.value === null || at < 0) return record;
  const behind = at + SOURCE.length;
  const parts = [
    record.value.subarray(0, behind),
    Buffer.from(`"gen":${generation},`),
    record.value.subarray(behind),
  ];
  return { ...record, value: Buffer.concat(parts) };
}

const SOURCE = Buffer.from('"source":{');

/** Keeps events that could not be stored, with error and bytes. Keeping one twice is a no-op. */
export async function keepDeadLetters(
  pool: Pool,
  id: TableId,
  topic: string,
  letters: readonly DeadLetter[],
): Promise<void> {
  if (letters.length === 0) return;
  const column = <T>(pick: (letter: DeadLetter) => T): T[] => letters.map(pick);
  await pool.query(
    `INSERT INTO bac.dead_letters
       (id, source, schema_name, table_name, topic, partition, log_offset, key, value, error_code, error)
     SELECT u.id, $1, $2, $3, $4, u.partition, u.log_offset, u.key, u.value, u.code, u.error
     FROM unnest($5::uuid[], $6::int[], $7::bigint[], $8::bytea[], $9::bytea[], $10::text[], $11::text[])
       AS u(id, partition, log_offset, key, value, code, error)
     ON CONFLICT (topic, partition, log_offset) DO NOTHING`,
    [
      id.source,
      id.schema,
      id.table,
      topic,
      column(() => randomUUID()),
      column((letter) => letter.partition),
      column((letter) => letter.record.offset),
      column((letter) => letter.record.key),
      column((letter) => letter.record.value),
      column((letter) => letter.error.code),
      // PostgreSQL's text holds no NUL.
      column((letter) => letter.error.message.replaceAll('\0', '').slice(0, 2000)),
    ],
  );
}

/** Which of these keys have open dead letters in the topic; as latin1 text. */
export async function deadKeys(pool: Pool, topic: string, keys: readonly Buffer[]): Promise<Set<string>> {
  const { rows } = await pool.query<{ key: Buffer }>(
    "SELECT DISTINCT key FROM bac.dead_letters WHERE topic = $1 AND state = 'open' AND key = ANY ($2::bytea[])",
    [topic, keys],
  );
  return new Set(rows.map(({ key }) => key.toString('latin1')));
}

export async function openDeadLetters(pool: Pool, id: TableId): Promise<number> {
  const { rows } = await pool.query<{ n: string }>(
    `SELECT count(*) AS n FROM bac.dead_letters
     WHERE source = $1 AND schema_name = $2 AND table_name = $3 AND state = 'open'`,
    [id.source, id.schema, id.table],
  );
  return Number(rows[0]?.n ?? 0);
}

/** Which dead letters: by id, or those of a source or a table; all open ones if empty. */
export interface DeadLetterFilter {
  readonly ids?: readonly string[];
  readonly source?: string;
  readonly schema?: string;
  readonly table?: string;
}

const FILTER = `state = 'open' AND ($1::uuid[] IS NULL OR id = ANY ($1)) AND ($2::text IS NULL OR source = $2)
  AND ($3::text IS NULL OR schema_name = $3) AND ($4::text IS NULL OR table_name = $4)`;
const filterValues = (filter: DeadLetterFilter) => [
  filter.ids ?? null,
  filter.source ?? null,
  filter.schema ?? null,
  filter.table ?? null,
];

/**
 * Appends the open dead letters of `filter` to their topics again, oldest first, and marks them
 * replayed. Returns how many. A crash in between replays some twice, which versions make harmless:
 * a replayed event never overrides a later change of its row.
 */
export async function replayDeadLetters(
  pool: Pool,
  log: ChangeLog,
  filter: DeadLetterFilter,
): Promise<number> {
  let count = 0;
  // Those that fail again while this runs are left for the next time: it would never end.
  const { rows: now } = await pool.query<{ at: Date }>('SELECT now() AS at');
  for (;;) {
    const { rows } = await pool.query<{
      id: string;
      topic: string;
      partition: number;
      key: Buffer | null;
      value: Buffer | null;
    }>(
      `SELECT id, topic, partition, key, value FROM bac.dead_letters WHERE ${FILTER} AND created_at <= $5
       ORDER BY topic, partition, log_offset LIMIT 500`,
      [...filterValues(filter), now[0]!.at],
    );
    if (rows.length === 0) return count;
    const batches = new Map<string, typeof rows>();
    for (const row of rows) {
      const at = `${row.partition} ${row.topic}`;
      batches.set(at, [...(batches.get(at) ?? []), row]);
    }
    await log.append(
      [...batches.values()].map((group) => ({
        topic: group[0]!.topic,
        partition: group[0]!.partition,
        records: group.map(({ key, value }) => ({ key, value })),
      })),
    );
    await pool.query(
      `UPDATE bac.dead_letters SET state = 'replayed', resolved_at = now() WHERE id = ANY ($1::uuid[])`,
      [rows.map((row) => row.id)],
    );
    count += rows.length;
  }
}

/** Marks the open dead letters of `filter` as discarded; they stay on record. Returns how many. */
export async function discardDeadLetters(pool: Pool, filter: DeadLetterFilter): Promise<number> {
  const { rowCount } = await pool.query(
    `UPDATE bac.dead_letters SET state = 'discarded', resolved_at = now() WHERE ${FILTER}`,
    filterValues(filter),
  );
  return rowCount ?? 0;
}
