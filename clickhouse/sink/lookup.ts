import { chIdent, chTable, type Warehouse } from '#kernel';
import { type AppliedTable, Sharder, shardsOf } from '../tables/index.ts';
import { rowColumns } from './plan.ts';

/** Literal of TabSeparated text (latin1) inside a statement; bytes above 127 as escapes. */
function literal(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "\\'")
    .replace(/[\x80-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
  return `'${escaped.replaceAll('\n', '\\n').replaceAll('\t', '\\t')}'`;
}

const KEYS_PER_QUERY = 2000;

/**
 * The warehouse's present rows of some keys, as TabSeparated fields (latin1 text) by key; deleted rows
 * included. Key fields are compared as ClickHouse reads them, so any key type works.
 */
export async function currentRows(
  warehouse: Warehouse,
  applied: AppliedTable,
  keys: readonly (readonly string[])[],
): Promise<Map<string, readonly string[]>> {
  const columns = applied.key.map((attnum) => applied.columns.find((column) => column.attnum === attnum)!);
  const positions = columns.map((column) => applied.columns.indexOf(column));
  const structure = columns.map((column, i) => `k${i} ${column.type}`).join(', ');
  const names = columns.map((column) => chIdent(column.name)).join(', ');
  const found = new Map<string, readonly string[]>();
  const all = [...new Set(keys.map((key) => key.join('\t')))];
  for (const { server, wanted } of await byShard(warehouse, applied, all)) {
    for (let from = 0; from < wanted.length; from += KEYS_PER_QUERY) {
      const data = wanted.slice(from, from + KEYS_PER_QUERY).join('\n');
      const text = await readAll(
        server,
        `SELECT ${rowColumns(applied)} FROM ${chTable(applied.database, applied.stored)} FINAL
         WHERE (${names}) IN (SELECT * FROM format(TabSeparated, ${literal(structure)}, ${literal(`${data}\n`)}))
         SETTINGS transform_null_in = 1, max_query_size = 268435456, date_time_input_format = 'basic'`,
      );
      for (const fields of text) found.set(positions.map((at) => fields[at]!).join('\t'), fields);
    }
  }
  return found;
}

/** Where the rows of these keys are. What this sink wrote, or another, is there to be read. */
async function byShard(
  warehouse: Warehouse,
  applied: AppliedTable,
  keys: readonly string[],
): Promise<{ server: Warehouse; wanted: readonly string[] }[]> {
  if (warehouse.cluster === undefined) return [{ server: warehouse, wanted: keys }];
  const sharder = new Sharder(applied, applied.key);
  const parts: string[][] = Array.from({ length: applied.shards }, () => []);
  for (const key of keys) {
    const line = Buffer.from(key, 'latin1');
    parts[sharder.of(line, 0, line.length)]!.push(key);
  }
  const servers = await currentServers(warehouse, applied);
  return servers.flatMap((server, index) =>
    parts[index]!.length === 0 ? [] : [{ server, wanted: parts[index]! }],
  );
}

/** Seconds that a replica may take to catch up. */
const SYNC = { settings: { receive_timeout: 30 } };

/**
 * A replica of each shard that has all that any replica has acknowledged: another one may have taken
 * over, and a value completed from a row older than it should be would be wrong for good.
 */
async function currentServers(warehouse: Warehouse, applied: AppliedTable): Promise<readonly Warehouse[]> {
  const servers = (await shardsOf(warehouse)).slice(0, applied.shards);
  if (warehouse.cluster?.replicated) {
    const target = chTable(applied.database, applied.stored);
    await Promise.all(
      servers.map((server) => server.command(`SYSTEM SYNC REPLICA ${target} LIGHTWEIGHT`, SYNC)),
    );
  }
  return servers;
}

async function readAll(warehouse: Warehouse, sql: string): Promise<string[][]> {
  const stream = await warehouse.stream(sql, 'TabSeparated');
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('latin1');
  return text === ''
    ? []
    : text
        .slice(0, -1)
        .split('\n')
        .map((line) => line.split('\t'));
}
