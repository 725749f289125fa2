import type { CuratedFile } from './curated.ts';

/**
 * SQL that reads rows by itself, past the governed sub-queries (`{crm_account(id, status)}`): what a principal may see
 * would not hold there. Found by the name of a database of captured tables, of the roll-ups' or of the server's own,
 * and by functions that read tables.
 */

const OWN = ['bac_rollups', 'system', 'information_schema'];
const READERS =
  /\b(merge|remote|remoteSecure|cluster|clusterAllReplicas|view|viewIfPermitted|loop|dictionary|executable|mergeTree\w+|url\w*|s3\w*|gcs|file\w*|input|hdfs\w*|azureBlobStorage\w*|iceberg\w*|deltaLake\w*|hudi\w*|mysql|postgresql|mongodb|redis|sqlite|jdbc|odbc|ytsaurus|arrowFlight)\s*\(/i;
/** What is shown and never run. */
const TEXTS = new Set(['name', 'title', 'description', 'meta', 'format', 'type']);

/** In one pass, so that a quote in a comment begins no string, nor two dashes in a string a comment. */
const PIECE = /('(?:[^'\\]|\\.|'')*'|\/\*[\s\S]*?\*\/|--[^\n]*|\{[A-Za-z_][\w.]*\})|`([^`]*)`|"([^"]*)"/g;

/** Without strings, comments and references, names without quotes. */
const bare = (sql: string): string =>
  sql.replaceAll(PIECE, (_, dropped, tick, double) => (dropped === undefined ? (tick ?? double ?? '') : ' '));

/** Of each cube or member whose SQL reads by itself: its name and what it reads. */
export function ownReads(
  { cubes }: Pick<CuratedFile, 'cubes'>,
  databases: readonly string[],
): { readonly where: string; readonly what: string }[] {
  const names = [...new Set([...databases, ...OWN])].map((name) => name.replace(/\W/g, '\\$&')).join('|');
  const qualified = new RegExp(`(?<![\\w.])(${names})\\s*\\.\\s*\\w+`, 'i');
  const found = (where: string, part: unknown): { where: string; what: string }[] => {
    if (typeof part !== 'string') {
      if (typeof part !== 'object' || part === null) return [];
      return Object.entries(part).flatMap(([key, inner]) => (TEXTS.has(key) ? [] : found(where, inner)));
    }
    const sql = bare(part);
    const what = qualified.exec(sql)?.[0] ?? READERS.exec(sql)?.[0];
    return what === undefined ? [] : [{ where, what: what.replace(/\s*\($/, '(...)') }];
  };
  return cubes.flatMap((cube) => [
    ...found(cube.name, cube.sql),
    ...[...cube.dimensions, ...cube.measures, ...cube.segments, ...cube.joins].flatMap((member) =>
      found(`${cube.name}.${member.name}`, member),
    ),
  ]);
}
