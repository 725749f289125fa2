import type { LogPosition, Registry, TableEntry, TableSchema } from '#kernel';

/**
 * Events that another writer (Debezium) has put into the log name their columns and their LSN, but neither
 * the snapshot generation nor the schema version they belong to. Both follow from the registry: the
 * generation from the event's place in the log (capture notes where each begins), the columns by name, which
 * within a generation always means the same column (capture begins a new one where it would not).
 */
export interface Generation {
  readonly generation: number;
  /** Shapes of the generation, oldest first. */
  readonly versions: readonly TableSchema[];
  readonly from: LogPosition;
}

const EVERYTHING: LogPosition = { offsets: {}, lsn: 0 };

/** The table's generations as registered, newest first, down to the live one. Empty: not known yet. */
export async function readGenerations(
  registry: Registry,
  entry: TableEntry,
  live: number,
): Promise<readonly Generation[]> {
  const found: Generation[] = [];
  let versions: TableSchema[] = [];
  let { generation } = entry;
  for (let number = entry.version; number > 0 && generation >= live; number -= 1) {
    const schema = await registry.version(entry, number);
    if (schema === null) {
      // Registered but not described yet; older gaps are what a crash left of a generation never begun.
      if (number === entry.version) return [];
      continue;
    }
    versions.unshift(schema);
    if (schema.since?.snapshot !== true && number > 1) continue;
    found.push({ generation, versions, from: schema.from ?? EVERYTHING });
    versions = [];
    generation -= 1;
  }
  return found;
}

/** The generation of an event at this place of the log. */
export function generationAt(
  generations: readonly Generation[],
  partition: number,
  offset: number,
  lsn: number,
): Generation | null {
  const found = generations.find(({ from }) => lsn >= from.lsn && offset >= (from.offsets[partition] ?? 0));
  return found ?? null;
}

/**
 * A shape with exactly these columns, as the generation's shapes know them; null if one is unknown to all
 * of them. Columns that are left out are older or younger than the event: their rows get the fill.
 */
export function shapeOf({ versions }: Generation, names: readonly string[]): TableSchema | null {
  const latest = versions.at(-1);
  if (!latest) return null;
  const columns = names.map((name) =>
    versions.reduce<TableSchema['columns'][number] | undefined>(
      (last, version) => version.columns.find((column) => column.name === name) ?? last,
      undefined,
    ),
  );
  const known = columns.filter((column) => column !== undefined);
  if (known.length < names.length) return null;
  if (new Set(known.map(({ attnum }) => attnum)).size < known.length) return null;
  return { ...latest, columns: known };
}
