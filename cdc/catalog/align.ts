import type { Column, ColumnType, TableSchema } from '#kernel';
import type { Relation } from '../pgoutput/index.ts';
import { alignments } from './alignments.ts';
import type { Attribute, CatalogTable } from './introspect.ts';

export interface Alignment {
  /** Shape of rows under `relation`; after `resnapshot` the catalog's shape, with which to begin anew. */
  readonly schema: Omit<TableSchema, 'version'>;
  readonly change: 'same' | 'compatible' | 'resnapshot';
  /** What changed, for people. */
  readonly details: readonly string[];
}

/**
 * What a Relation message means for a table whose last known shape is `previous`.
 *
 * The message names columns in attribute order but not their numbers, and may be older than `catalog`
 * (more DDL has happened since it was logged). All assignments of attribute numbers that are possible
 * between the two are considered; unless exactly one is, and what it says of every column is certain,
 * the answer is `resnapshot`. So a column is never mistaken for another.
 *
 * Holds under one condition: `previous` is not newer than the message. At the first version and after
 * a re-snapshot the caller ensures it by a position at which the catalog was just so, dropping changes
 * committed before it (the snapshot contains them).
 */
export function alignRelation(
  previous: TableSchema | null,
  relation: Relation,
  catalog: CatalogTable | null,
): Alignment {
  const current = catalog?.oid === relation.oid ? catalog : null;
  const again = (...details: string[]): Alignment => ({
    schema: catalog?.schema ?? withoutVersion(previous) ?? unknownTable(relation),
    change: 'resnapshot',
    details,
  });
  if (!previous) return first(relation, current, again);
  if (previous.origin && previous.origin.oid !== relation.oid) {
    return again('the table was dropped and made again');
  }
  if (!current) {
    // The table is gone: nothing to compare with, but an unchanged shape is recognised.
    return looksLike(previous, relation) ? unchanged(previous) : again('the table is gone and had changed');
  }
  const found = alignments(previous, relation.columns.length, current.attributes);
  const attnums = found[0];
  if (!attnums) return again('its columns cannot be told apart after several changes');
  if (found.length > 1) {
    // Several readings of the same list: fine only if the list is plainly what it was.
    return again('a dropped and an added column cannot be told apart');
  }
  return compare(previous, relation, current, attnums, again);
}

type Again = (...details: string[]) => Alignment;

function first(relation: Relation, catalog: CatalogTable | null, again: Again): Alignment {
  if (!catalog) return again('its catalog entry is gone');
  const published = catalog.attributes.filter((attribute) => attribute.published);
  const same =
    published.length === relation.columns.length &&
    published.every((attribute, index) => sameColumn(attribute, relation.columns[index]!));
  if (!same) return again('the catalog has moved on since the row was written');
  return { schema: catalog.schema, change: 'same', details: [] };
}

const sameColumn = (attribute: Attribute, column: Relation['columns'][number]): boolean =>
  attribute.name === column.name && sameType(attribute, column);

const sameType = (attribute: Attribute, column: Relation['columns'][number]): boolean =>
  attribute.typeOid === column.typeOid && attribute.typmod === column.typmod;

function compare(
  previous: TableSchema,
  relation: Relation,
  catalog: CatalogTable,
  attnums: readonly number[],
  again: Again,
): Alignment {
  const attributes = new Map(catalog.attributes.map((attribute) => [attribute.attnum, attribute]));
  const before = new Map(previous.columns.map((column) => [column.attnum, column]));
  const now = new Map(catalog.schema.columns.map((column) => [column.attnum, column]));
  const rewritten = rewrittenColumn(previous, catalog);
  if (rewritten) return again(`the values of ${rewritten} were rewritten`);
  const details: string[] = [];
  const columns: Column[] = [];
  for (const [index, attnum] of attnums.entries()) {
    const seen = relation.columns[index]!;
    const old = before.get(attnum);
    const latest = now.get(attnum);
    const attribute = attributes.get(attnum)!;
    if (!latest) {
      // Dropped since, so the catalog knows its type no more: certain only if name and type look as before.
      if (!old || old.name !== seen.name || !looksTyped(old, seen)) {
        return again(`column ${seen.name} changed and is already dropped`);
      }
      columns.push(old);
      continue;
    }
    if (!sameType(attribute, seen)) return again(`the type of ${seen.name} changed`);
    if (!old) {
      const column = added(attribute, latest, seen.name, previous, catalog);
      if (typeof column === 'string') return again(column);
      details.push(`added ${seen.name}`);
      columns.push(column);
      continue;
    }
    if (old.type.sourceType !== latest.type.sourceType) return again(`the type of ${seen.name} changed`);
    if (old.name !== seen.name) {
      if (attribute.name !== seen.name) return again(`${old.name} was renamed more than once`);
      details.push(`renamed ${old.name} to ${seen.name}`);
    }
    const nullable = old.nullable || latest.nullable;
    if (nullable !== old.nullable) details.push(`${seen.name} may be NULL now`);
    columns.push({ ...latest, name: seen.name, nullable, fill: old.fill });
  }
  const kept = new Set(attnums);
  for (const column of previous.columns) {
    if (!kept.has(column.attnum)) details.push(`dropped ${column.name}`);
  }
  const key = alignKey(previous, relation, catalog, attnums, columns);
  if (!key) return again('its key changed');
  if (key.keyRule === 'whole-row' && details.length > 0) {
    return again('a column of a table without a key changed, so every row has another identity');
  }
  if (key.fullIdentity !== previous.fullIdentity) details.push('its replica identity changed');
  return {
    schema: {
      source: previous.source,
      schema: previous.schema,
      table: previous.table,
      columns,
      ...key,
      ...(catalog.schema.comment === undefined ? {} : { comment: catalog.schema.comment }),
      origin: {
        oid: catalog.oid,
        lastAttnum: Math.max(previous.origin?.lastAttnum ?? 0, ...attnums),
        // Kept from `previous`: what was rewritten after it stays suspicious until the next snapshot.
        storage: previous.origin?.storage ?? '',
        ...(sameStorage(previous, catalog)
          ? { marks: catalog.schema.origin?.marks }
          : { marks: previous.origin?.marks }),
      },
    },
    change: details.length === 0 ? 'same' : 'compatible',
    details,
  };
}

const sameStorage = (previous: TableSchema, catalog: CatalogTable): boolean =>
  previous.origin?.storage === catalog.schema.origin?.storage;

/**
 * A column that the table had before and whose type was altered, even if it is the same again: its
 * catalog entry is younger and the table lies in new files. TRUNCATE and VACUUM FULL only make new
 * files, renaming only a new entry.
 */
function rewrittenColumn(previous: TableSchema, catalog: CatalogTable): string | null {
  const [before, now] = [previous.origin?.marks, catalog.schema.origin?.marks];
  if (!before || !now || sameStorage(previous, catalog)) return null;
  const column = previous.columns.find(({ attnum }) => {
    const dropped = catalog.attributes.find((attribute) => attribute.attnum === attnum)?.dropped ?? true;
    return !dropped && before[attnum] !== undefined && before[attnum] !== now[attnum];
  });
  return column?.name ?? null;
}

/** OIDs of built-in types, which are the same on every server. */
const BUILTIN_OIDS: Readonly<Record<number, ColumnType['kind']>> = {
  16: 'bool',
  17: 'bytes',
  20: 'int8',
  21: 'int2',
  23: 'int4',
  25: 'text',
  114: 'json',
  700: 'float4',
  701: 'float8',
  1042: 'text',
  1043: 'text',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  1186: 'interval',
  1266: 'timetz',
  1700: 'numeric',
  2950: 'uuid',
  3802: 'json',
};

function looksTyped({ type }: Column, seen: Relation['columns'][number]): boolean {
  const kind = BUILTIN_OIDS[seen.typeOid];
  if (kind === undefined) return type.kind === 'enum' || type.kind === 'other';
  if (kind === 'numeric' && type.kind === 'numeric') {
    const { precision, scale = 0 } = type;
    return seen.typmod === (precision === undefined ? -1 : ((precision << 16) | (scale & 0x7ff)) + 4);
  }
  return kind === type.kind;
}

/** The added column with the value its older rows have, or why that cannot be known. */
function added(
  attribute: Attribute,
  latest: Column,
  name: string,
  previous: TableSchema,
  catalog: CatalogTable,
): Column | string {
  if (attribute.name !== name) return `${name} was added and renamed`;
  if (!attribute.hasMissing && attribute.hasDefault) return `${name} was added with a computed default`;
  // A rewrite puts the fill values into the rows and forgets them.
  if (!attribute.hasMissing && previous.origin?.storage !== catalog.schema.origin?.storage) {
    return `${name} was added and the table rewritten`;
  }
  return { ...latest, nullable: true };
}

function alignKey(
  previous: TableSchema,
  relation: Relation,
  catalog: CatalogTable,
  attnums: readonly number[],
  columns: readonly Column[],
): Pick<TableSchema, 'keyRule' | 'key' | 'fullIdentity'> | null {
  const nameOf = new Map(columns.map((column) => [column.attnum, column.name]));
  const attnumOf = new Map(previous.columns.map((column) => [column.name, column.attnum]));
  const keyAttnums = previous.key.map((name) => attnumOf.get(name)!);
  const fullIdentity = relation.identity === 'f';
  if (previous.keyRule === 'whole-row') {
    if (!fullIdentity || catalog.schema.keyRule !== 'whole-row') return null;
    return { keyRule: 'whole-row', key: columns.map((column) => column.name), fullIdentity };
  }
  const key = keyAttnums.map((attnum) => nameOf.get(attnum));
  if (!key.every((name) => name !== undefined)) return null;
  if (fullIdentity) {
    // Every column is flagged under FULL: the key is certain only if the catalog still has the same.
    const latest = new Map(catalog.schema.columns.map((column) => [column.name, column.attnum]));
    const same =
      catalog.schema.key.length === key.length &&
      catalog.schema.key.every((name, index) => latest.get(name) === keyAttnums[index]);
    return same ? { keyRule: 'primary-key', key, fullIdentity } : null;
  }
  const flagged = attnums.filter((_, index) => relation.columns[index]!.partOfKey);
  const same = flagged.length === keyAttnums.length && flagged.every((attnum) => keyAttnums.includes(attnum));
  if (!same || flagged.length === 0) return null;
  const keyRule =
    relation.identity === 'i' && previous.keyRule !== 'primary-key' ? 'replica-index' : 'primary-key';
  return { keyRule, key, fullIdentity };
}

function looksLike(previous: TableSchema, relation: Relation): boolean {
  const key = new Set(previous.key);
  return (
    previous.fullIdentity === (relation.identity === 'f') &&
    previous.columns.length === relation.columns.length &&
    previous.columns.every((column, index) => {
      const seen = relation.columns[index]!;
      return column.name === seen.name && (previous.fullIdentity || key.has(column.name) === seen.partOfKey);
    })
  );
}

const unchanged = (previous: TableSchema): Alignment => ({
  schema: withoutVersion(previous)!,
  change: 'same',
  details: [],
});

function withoutVersion(schema: TableSchema | null): Omit<TableSchema, 'version'> | null {
  if (!schema) return null;
  const { version: _, ...rest } = schema;
  return rest;
}

/** A table of which only its Relation message is left. */
const unknownTable = (relation: Relation): Omit<TableSchema, 'version'> => ({
  source: '',
  schema: relation.schema,
  table: relation.table,
  columns: [],
  keyRule: 'none',
  key: [],
  fullIdentity: relation.identity === 'f',
});
