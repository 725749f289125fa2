import { type Column, type KeyRule, pgTable } from '#kernel';
import type { IndexRow, TableRow } from './queries.ts';

export interface Reason {
  readonly code: string;
  readonly message: string;
  readonly next: string;
}

export interface KeyFacts {
  readonly table: TableRow;
  readonly columns: readonly Column[];
  readonly indexes: readonly IndexRow[];
  /** The change stream carries tables with a primary key only (YugabyteDB). */
  readonly primaryKeyOnly: boolean;
}

interface Key {
  readonly keyRule: KeyRule;
  readonly key: readonly string[];
  readonly reason: Reason | null;
}

/**
 * How rows of a table are recognised in the change stream, and if they cannot be: why not.
 * The key must be in every old image, hence what the replica identity names, not merely the primary key.
 */
export function keyOf(facts: KeyFacts): Key {
  const { table } = facts;
  const name = pgTable(table.schema, table.table);
  const refused = refusal(facts, name);
  const key = recognise(facts, name);
  return refused ? { ...key, reason: refused } : key;
}

function recognise(facts: KeyFacts, name: string): Key {
  const { table, columns, indexes } = facts;
  const none = (code: string, message: string, next: string): Key => ({
    keyRule: 'none',
    key: [],
    reason: { code, message, next },
  });
  // A deferrable primary key may be violated inside a transaction: two rows share it for a while.
  const primary = indexes.find((index) => index.is_primary && index.immediate && index.valid);
  const named = (index: IndexRow): string[] | null => {
    const names = index.attnums.map((attnum) => columns.find((column) => column.attnum === attnum)?.name);
    return names.every((column) => column !== undefined) ? names : null;
  };
  const generated = none(
    'TABLE_KEY_NOT_PUBLISHED',
    `The key of ${name} contains a generated column, which the server does not publish.`,
    `Give it another key: ALTER TABLE ${name} REPLICA IDENTITY USING INDEX ..., or REPLICA IDENTITY FULL.`,
  );
  if (facts.primaryKeyOnly && !primary && table.identity !== 'n') {
    return none('TABLE_WITHOUT_KEY', `${name} has no primary key.`, `Add a primary key to ${name}.`);
  }
  switch (table.identity) {
    // CHANGE (YugabyteDB): the old image is the primary key as well, the new one what the UPDATE set.
    case 'c':
    case 'd': {
      if (!primary) {
        const deferrable = indexes.some((index) => index.is_primary);
        return none(
          'TABLE_WITHOUT_KEY',
          deferrable
            ? `The primary key of ${name} is deferrable, which cannot identify rows in the change stream.`
            : `${name} has no primary key.`,
          `Add a primary key, or run: ALTER TABLE ${name} REPLICA IDENTITY FULL.`,
        );
      }
      const key = named(primary);
      return key ? { keyRule: 'primary-key', key, reason: null } : generated;
    }
    case 'i': {
      const index = indexes.find((candidate) => candidate.is_identity && candidate.valid);
      if (!index) {
        return none(
          'TABLE_WITHOUT_KEY',
          `The replica identity index of ${name} no longer exists.`,
          `Run: ALTER TABLE ${name} REPLICA IDENTITY DEFAULT (or USING INDEX, or FULL).`,
        );
      }
      const key = named(index);
      return key
        ? { keyRule: index.is_primary ? 'primary-key' : 'replica-index', key, reason: null }
        : generated;
    }
    case 'f': {
      const key = primary ? named(primary) : null;
      if (key) return { keyRule: 'primary-key', key, reason: null };
      return { keyRule: 'whole-row', key: columns.map((column) => column.name), reason: null };
    }
    case 'n':
      return none(
        'TABLE_IDENTITY_NOTHING',
        `${name} has REPLICA IDENTITY NOTHING: the stream would not say which row changed.`,
        `Run: ALTER TABLE ${name} REPLICA IDENTITY DEFAULT.`,
      );
    default:
      return none(
        'TABLE_IDENTITY_UNKNOWN',
        `${name} has a replica identity ("${table.identity}") that this version does not know.`,
        `Run: ALTER TABLE ${name} REPLICA IDENTITY DEFAULT.`,
      );
  }
}

function refusal({ table, columns }: KeyFacts, name: string): Reason | null {
  if (table.persistence === 'u') {
    return {
      code: 'TABLE_UNLOGGED',
      message: `${name} is unlogged: its changes are not in the WAL.`,
      next: `Run: ALTER TABLE ${name} SET LOGGED.`,
    };
  }
  if (!table.readable) {
    return {
      code: 'TABLE_NOT_READABLE',
      message: `The user may not read ${name}.`,
      next: `Run as its owner: GRANT USAGE ON SCHEMA ...; GRANT SELECT ON ${name} TO the hub's user.`,
    };
  }
  if (table.row_security) {
    return {
      code: 'TABLE_ROW_SECURITY',
      message: `Row-level security hides rows of ${name} from the user, while the change stream would show them.`,
      next: "Run: ALTER ROLE the hub's user BYPASSRLS.",
    };
  }
  if (columns.length === 0) {
    return {
      code: 'TABLE_WITHOUT_COLUMNS',
      message: `${name} has no column that can be captured.`,
      next: 'Add a column or leave the table out.',
    };
  }
  return null;
}
