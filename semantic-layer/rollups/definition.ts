import { createHash } from 'node:crypto';
import { type AccessProfile, everythingProfile, type WarehouseTable } from '#kernel';
import { governed } from '../generate/index.ts';
import { type BucketUnit, bucketUnit } from './buckets.ts';
import type { Alternative } from './planner.ts';

/** `Alternative` with its values in the statements. */
export interface Candidate extends Omit<Alternative, 'question' | 'load'> {
  readonly question: string;
  readonly load: string;
}

/** What a roll-up is, whoever asks: two of one hash hold the same rows. */
export interface Definition {
  readonly name: string;
  readonly hash: string;
  /** The load statement with `place(table)` for the sub-query of each table. */
  readonly load: string;
  /** Table whose rows are attributed to buckets. */
  readonly base: WarehouseTable;
  /** Tables joined to it. */
  readonly joined: readonly WarehouseTable[];
  readonly unit: BucketUnit;
  /** Column of the base that says the bucket. */
  readonly timeColumn: string;
  readonly timeIsDate: boolean;
  readonly timeAlias: string;
  readonly columns: readonly string[];
  readonly sums: readonly string[];
  /** Columns of the base that the roll-up has, as expressions over its own. */
  readonly shown: ReadonlyMap<string, string>;
}

export type Defined = { readonly definition: Definition } | { readonly reason: string };

export const place = ({ database, table }: WarehouseTable): string => `\u27e6${database}.${table}\u27e7`;

const VOLATILE =
  /\b(now|now64|today|yesterday|utc_?timestamp|current_?(?:date|timestamp)|rand\w*|generate\w+)\s*\(/i;
const COLUMN = /^`[^`]+`\.(?:`([^`]+)`|(\w+))$/;
const TEXT_OF = /^toString\((`[^`]+`\.(?:`[^`]+`|\w+))\)$/;

/**
 * What the candidate's roll-up is over these tables, seen with this profile; or why it cannot be kept. The profile's
 * sub-queries are taken out of the load statement: what is left is the same for everybody who sees its columns plainly.
 */
export function defineRollup(
  candidate: Candidate,
  tables: readonly WarehouseTable[],
  profile: AccessProfile,
): Defined {
  let load = candidate.load;
  const used: WarehouseTable[] = [];
  let base: WarehouseTable | undefined;
  for (const table of tables) {
    const seen = governed(table, profile);
    if (!seen || !load.includes(`(${seen.sql})`)) continue;
    if (seen.sql === candidate.base) base = table;
    used.push(table);
    load = load.replaceAll(`(${seen.sql})`, `(${place(table)})`);
  }
  if (!base) return { reason: 'its time dimension is of no cube that extends a table' };
  if (load.split(place(base)).length !== 2) return { reason: 'the table of its time dimension occurs twice' };
  if (/\bFINAL\b/.test(load)) return { reason: 'it reads a cube with SQL of its own' };
  if (/\{\w+:\w+/.test(load)) return { reason: 'it depends on who asks' };
  if (VOLATILE.test(load)) return { reason: 'it depends on when it is asked' };
  if (base.schema.keyRule !== 'primary-key') return { reason: 'its table has no primary key' };
  const timeColumn = columnOf(candidate.time.source);
  const time = base.schema.columns.find(({ name }) => name === timeColumn);
  if (!time || !/^(date|timestamp|timestamptz)$/.test(time.type.kind))
    return { reason: 'its time dimension is no column of a time' };
  const unit = bucketUnit(candidate.granularity, candidate.partitionGranularity);
  const joined = used.filter((table) => table !== base);
  const shape = used.map(({ topic, schema }) => [
    topic,
    schema.key,
    schema.columns.map(({ name, type, nullable }) => [name, type, nullable]),
  ]);
  const definition = {
    name: candidate.name,
    load,
    base,
    joined,
    unit,
    timeColumn: time.name,
    timeIsDate: time.type.kind === 'date',
    timeAlias: candidate.time.alias,
    columns: [
      ...candidate.dimensions.map(({ alias }) => alias),
      candidate.time.alias,
      ...candidate.measures.map(({ alias }) => alias),
    ],
    sums: candidate.measures.filter(({ type }) => type === 'sum').map(({ alias }) => alias),
    shown: shownColumns(candidate, base),
  };
  const hash = createHash('sha256')
    .update(JSON.stringify([load, unit, timeColumn, definition.columns, shape]))
    .digest('hex')
    .slice(0, 12);
  return { definition: { ...definition, hash } };
}

const columnOf = (sql: string): string | undefined => {
  const [, quoted, bare] = COLUMN.exec(sql) ?? [];
  return quoted ?? bare;
};

/** Dimensions that are a column of the base, or a UUID as text, by that column. */
function shownColumns({ dimensions, base: _, time }: Candidate, base: WarehouseTable): Map<string, string> {
  const cube = /^`([^`]+)`/.exec(time.source)?.[1];
  const shown = new Map<string, string>();
  for (const { alias, source } of dimensions) {
    if (!source.includes(`\`${cube}\`.`)) continue;
    const plain = columnOf(source);
    if (plain !== undefined) shown.set(plain, `\`${alias}\``);
    const uuid = columnOf(TEXT_OF.exec(source)?.[1] ?? '');
    if (uuid !== undefined && base.schema.columns.find(({ name }) => name === uuid)?.type.kind === 'uuid')
      shown.set(uuid, `toUUID(\`${alias}\`)`);
  }
  return shown;
}

/** The load statement as somebody who sees everything runs it, over these rows of the base only. */
export const loadAll = (definition: Definition, rows: string): string =>
  fill(definition, everythingProfile([definition.base, ...definition.joined]), rows);

/**
 * The load statement as the profile may run it, over these rows of the base only; the profile must see every column
 * that it needs.
 */
export function fill({ load, base, joined }: Definition, profile: AccessProfile, rows: string): string {
  let sql = load.replace(place(base), () => within(governed(base, profile)!.sql, rows));
  for (const table of joined) sql = sql.replaceAll(place(table), () => governed(table, profile)!.sql);
  return sql;
}

const DELETED = ' FINAL WHERE `_deleted` = 0';

/** The sub-query of a table with a condition more, over its true columns: masks are made outside. */
const within = (sql: string, rows: string): string => {
  const at = sql.indexOf(DELETED) + DELETED.length;
  return `${sql.slice(0, at)} AND (${rows})${sql.slice(at)}`;
};

/**
 * The profile's row filter over the columns of the roll-up; an empty one if it has none; null if it cannot be applied
 * there exactly: it needs another column, another table, or rows of joined tables are hidden.
 */
export function filterOver({ base, joined, shown, load }: Definition, profile: AccessProfile): string | null {
  if (joined.some(({ topic }) => profile.tables.get(topic)?.filter !== null)) return null;
  if ([base, ...joined].some((table) => obscured(table, profile).some((name) => mentions(load, name))))
    return null;
  const access = profile.tables.get(base.topic);
  if (!access?.readable) return null;
  if (access.filter === null) return '';
  const { filter } = access;
  if (/\bSELECT\b/i.test(filter)) return null;
  let exact = true;
  const moved = filter.replace(
    /'(?:[^'\\]|\\.)*'|\{[^}]*\}|`([^`]+)`|\b[A-Za-z_]\w*\b(?!\s*\()/g,
    (token, column) => {
      if (column === undefined) {
        if (/^['{]/.test(token) || /^(AND|OR|NOT|IN|IS|NULL|true|false|BETWEEN|LIKE|ILIKE)$/i.test(token))
          return token;
        exact = false;
        return token;
      }
      const there = shown.get(column);
      if (there === undefined) exact = false;
      return there ?? token;
    },
  );
  return exact ? moved : null;
}

/** Columns that the profile sees masked or not at all. */
const obscured = ({ topic, schema }: WarehouseTable, profile: AccessProfile): string[] =>
  schema.columns
    .map(({ name }) => name)
    .filter((name) => profile.tables.get(topic)?.columns.get(name)?.mode !== 'plain');

/** As a word anywhere: the name of another table's column counts, too. */
const mentions = (sql: string, name: string): boolean =>
  sql.split(/[^\p{L}\p{N}_$]+/u).includes(name) || (/[^\p{L}\p{N}_$]/u.test(name) && sql.includes(name));
