import { pgIdent } from '#kernel';
import type { Model, Relation } from '../compile/relation.ts';
import { DATABASE, type SqlType } from '../types.ts';

/** Who asks: it owns nothing and reads everything there is, which is empty tables. */
export const READER = 'bac_reader';

const COLUMN_TYPES: Partial<Record<SqlType, string>> = {
  bool: 'boolean',
  int8: 'bigint',
  numeric: 'numeric',
  float8: 'double precision',
  timestamp: 'timestamp',
};

const quoted = (text: string): string => `'${text.replaceAll("'", "''").replaceAll('\0', '')}'`;

function relation(one: Relation): string[] {
  const members = [...one.members.values()];
  const table = `public.${pgIdent(one.name)}`;
  const key = members.filter((member) => member.primaryKey).map((member) => pgIdent(member.column));
  const columns = members.map((member) => `${pgIdent(member.column)} ${COLUMN_TYPES[member.type] ?? 'text'}`);
  for (const segment of one.segments.keys()) columns.push(`${pgIdent(segment)} boolean`);
  const primary = key.length > 0 ? [`PRIMARY KEY (${key.join(', ')})`] : [];
  const comment = (of: string, text: string | undefined): string[] =>
    text === undefined ? [] : [`COMMENT ON ${of} IS ${quoted(text)}`];
  return [
    `CREATE TABLE ${table} (${[...columns, ...primary].join(', ')})`,
    ...comment(`TABLE ${table}`, one.description),
    ...members.flatMap((member) => {
      const text = [
        member.kind === 'measure' ? `Measure (${member.aggregate}).` : '',
        member.description ?? '',
      ]
        .filter((part) => part !== '')
        .join(' ');
      return comment(`COLUMN ${table}.${pgIdent(member.column)}`, text === '' ? undefined : text);
    }),
  ];
}

/** SQL that makes an empty PostgreSQL look like the model, and leaves the session a reader. */
export function mirror(model: Model): string {
  return [
    ...[...model.relations.values()].flatMap(relation),
    `CREATE ROLE ${READER} NOLOGIN`,
    `GRANT USAGE ON SCHEMA public TO ${READER}`,
    // With SELECT alone, information_schema.table_constraints would hide the keys.
    `GRANT SELECT, REFERENCES ON ALL TABLES IN SCHEMA public TO ${READER}`,
    'SET allow_system_table_mods = on',
    `UPDATE pg_database SET datname = '${DATABASE}' WHERE datname = current_database()`,
    'SET default_transaction_read_only = on',
    `SET SESSION AUTHORIZATION ${READER}`,
  ].join(';\n');
}
