import { userError } from './errors.ts';

/** Names the hub itself gives to sources, apps, slots: short, lower-case, safe in every system it meets. */
const NAME = /^[a-z][a-z0-9_]{0,39}$/;

export function assertName(what: string, name: string): string {
  if (!NAME.test(name)) {
    throw userError(
      'NAME_INVALID',
      `${what} "${name}" is not a usable name.`,
      'Use a lower-case letter followed by up to 39 letters, digits or underscores.',
    );
  }
  return name;
}

/** PostgreSQL identifier, quoted. Any text without NUL is allowed by PostgreSQL inside quotes. */
export function pgIdent(name: string): string {
  if (name.includes('\0')) throw userError('NAME_INVALID', 'An identifier holds a NUL byte.', 'Rename it.');
  return `"${name.replaceAll('"', '""')}"`;
}

export const pgTable = (schema: string, table: string): string => `${pgIdent(schema)}.${pgIdent(table)}`;

/** PostgreSQL string literal, for the few statements (replication commands, DDL) that take no parameters. */
export function pgLiteral(text: string): string {
  if (text.includes('\0')) throw userError('VALUE_INVALID', 'A literal holds a NUL byte.', 'Remove it.');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** ClickHouse identifier in backquotes. */
export const chIdent = (name: string): string =>
  `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;

export const chTable = (database: string, table: string): string => `${chIdent(database)}.${chIdent(table)}`;

/** ClickHouse string literal. */
export const chLiteral = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
