import type pg from 'pg';
import { pgIdent, pgTable, type TableSchema, transientError } from '#kernel';
import type { Place } from '../events/index.ts';
import { NULL, TEXT, type Tuple, UNCHANGED, type Update } from '../pgoutput/index.ts';
import type { SourceClient } from './source-client.ts';

/** How long a transaction that the stream has shown as committed may take to be visible. */
const VISIBLE_MS = 5000;
const POLL_MS = 5;

/** SQLSTATEs of a name that was changed between asking for it and using it: column, table, schema. */
const RENAMED = new Set(['42703', '42P01', '3F000']);
const ATTEMPTS = 10;

/** The relation's present names: it and its columns may have been renamed since the change. */
const NAMES_SQL = `
SELECT n.nspname AS schema, c.relname AS table, c.relkind = 'p' AS root, a.attnum, a.attname AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.oid = $1 AND a.attnum > 0 AND NOT a.attisdropped`;

/** A transaction holds the lock on its own number until others can see what it did. */
const OPEN_SQL =
  "SELECT FROM pg_locks WHERE locktype = 'transactionid' AND granted AND transactionid::text = $1";

/**
 * A change of key leaves out-of-line values out that stayed the same. They are read from the source:
 * what the row under the new key holds now. The warehouse is no safe place to take them from: the old
 * key's row may be merged away, be in another partition that is read at another pace, or (when the change
 * is sent again, or a snapshot was ahead of it) already belong to another row under that key.
 *
 * A value that is newer than the change does no harm: the change that made it comes later in the new
 * key's own partition and carries it. A row that is no longer there is deleted or moved by a later
 * change of the same partition; null then, and the values stay out.
 */
export async function completed(
  client: SourceClient,
  schema: TableSchema,
  columns: readonly string[],
  change: Update,
  place: Place,
  xid: number,
): Promise<{ change: Update; place: Place } | null> {
  const missing = schema.columns
    .map((column) => ({ column, at: columns.indexOf(column.name) }))
    .filter(({ at }) => at >= 0 && change.row.kinds[at] === UNCHANGED && change.old.kinds[at] !== TEXT);
  const key = schema.key.map((name) => {
    const at = columns.indexOf(name);
    const tuple = change.row.kinds[at] === UNCHANGED ? change.old : change.row;
    return {
      attnum: schema.columns.find((column) => column.name === name)!.attnum,
      text: tuple.buffer.toString('utf8', tuple.starts[at], tuple.ends[at]),
    };
  });
  const values = await client.use(async (connection) => {
    await visible(connection, xid);
    const wanted = missing.map(({ column }) => column.attnum);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await currentValues(connection, change.oid, key, wanted);
      } catch (error) {
        if (!RENAMED.has((error as { code?: string }).code ?? '') || attempt === ATTEMPTS) throw error;
      }
    }
  });
  if (values === null) return null;
  const filled = missing.map(({ column, at }) => ({ at, value: values.get(column.attnum) }));
  return withValues(change, place, filled);
}

/** Waits until others see what the transaction did, a moment after the stream has shown its commit. */
export async function visible(connection: pg.Client, xid: number): Promise<void> {
  const until = performance.now() + VISIBLE_MS;
  for (;;) {
    const { rowCount } = await connection.query(OPEN_SQL, [String(xid)]);
    if (rowCount === 0) return;
    if (performance.now() > until) {
      throw transientError(
        'SOURCE_COMMIT_HIDDEN',
        `Transaction ${xid} is committed but cannot be seen: it may wait for a synchronous standby.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Values (source text) by attribute number; null: the row or the table is gone. */
export async function currentValues(
  connection: pg.Client,
  oid: number,
  key: readonly { readonly attnum: number; readonly text: string }[],
  wanted: readonly number[],
): Promise<Map<number, string | null> | null> {
  const { rows: found } = await connection.query<{
    schema: string;
    table: string;
    root: boolean;
    attnum: number;
    name: string;
  }>(NAMES_SQL, [oid]);
  const names = new Map(found.map(({ attnum, name }) => [attnum, pgIdent(name)]));
  const [relation] = found;
  const present = wanted.filter((attnum) => names.has(attnum));
  if (!relation || present.length === 0 || key.some(({ attnum }) => !names.has(attnum))) return null;
  const from = `${relation.root ? '' : 'ONLY '}${pgTable(relation.schema, relation.table)}`;
  const where = key.map(({ attnum }, index) => `${names.get(attnum)} = $${index + 1}`).join(' AND ');
  const { rows } = await connection.query<(string | null)[]>({
    text: `SELECT ${present.map((attnum) => names.get(attnum)).join(', ')} FROM ${from} WHERE ${where}`,
    values: key.map(({ text }) => text),
    rowMode: 'array',
    types: { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig,
  });
  const [row] = rows;
  return row ? new Map(present.map((attnum, index) => [attnum, row[index] ?? null])) : null;
}

/** The same change in a buffer of its own, with the values behind the message. */
function withValues(
  change: Update,
  place: Place,
  filled: readonly { readonly at: number; readonly value: string | null | undefined }[],
): { change: Update; place: Place } {
  const parts = [change.row.buffer.subarray(place.start, place.end)];
  let length = place.end - place.start;
  const row = moved(change.row, place.start);
  for (const { at, value } of filled) {
    if (value === undefined) continue;
    if (value === null) {
      row.kinds[at] = NULL;
      continue;
    }
    const bytes = Buffer.from(value);
    parts.push(bytes);
    row.kinds[at] = TEXT;
    row.starts[at] = length;
    length += bytes.length;
    row.ends[at] = length;
  }
  const buffer = Buffer.concat(parts);
  row.buffer = buffer;
  const old = { ...moved(change.old, place.start), buffer };
  return { change: { ...change, old, row }, place: { start: 0, end: length } };
}

const moved = (tuple: Tuple, by: number): Tuple => ({
  ...tuple,
  kinds: tuple.kinds.slice(),
  starts: tuple.starts.map((start) => start - by),
  ends: tuple.ends.map((end) => end - by),
});
