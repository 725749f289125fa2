import { columnSql, type EntityInfo, fieldOf } from '../model/catalogue.ts';
import { problem } from '../model/problem.ts';
import type { Access } from './access.ts';
import { Params } from './access.ts';
import { type Query, searchColumns, searchRule, searchWords } from './list.ts';

const MOST = 100;
/** Rows of one entity that are looked at for their rank. */
const CANDIDATES = 50;

export interface Hit {
  readonly entity: string;
  readonly id: string;
  readonly title: string;
}

/**
 * Records in whose search fields all words are found, over several entities in one statement. Best
 * first: the title is the text, begins with it, has a word that begins with it; then the rest, newest first.
 */
export function searchQuery(
  access: Access,
  entities: readonly EntityInfo[],
  text: string,
  limit = 20,
): Query<Hit[]> | null {
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
    throw problem('LIMIT_EXCEEDED', `\`limit\` is between 1 and ${MOST}.`, 'limit');
  const words = searchWords(text);
  if (words[0] === '') return null;
  const params = new Params();
  const whole = params.add(words.join(' ').toLowerCase(), 'text');
  const branches = entities
    .filter((entity) => searchColumns(access, entity, 't').length > 0)
    .map((entity) => {
      const title = titleSql(access, entity);
      const rule = searchRule(access, params, entity, 't', text);
      const lower = `lower(${title})`;
      const rank = `CASE WHEN ${lower} = ${whole} THEN 0 WHEN starts_with(${lower}, ${whole}) THEN 1 WHEN position(' ' || ${whole} IN ${lower}) > 0 THEN 2 ELSE 3 END`;
      return `(SELECT ${params.add(entity.path, 'text')} AS entity, t.id, ${title} AS title, ${rank} AS rank FROM ${entity.table} t WHERE ${rule} ORDER BY rank, t.id DESC LIMIT ${CANDIDATES})`;
    });
  if (branches.length === 0) return null;
  return {
    statement: {
      text: `SELECT entity, id::text, title FROM (${branches.join(' UNION ALL ')}) hits ORDER BY rank, id DESC, entity LIMIT ${limit}`,
      values: params.values,
      keep: true,
    },
    read: (rows) => rows.map(([entity, id, title]) => ({ entity: entity!, id: id!, title: title! })),
  };
}

/** What stands for the record, if the principal may see it; else its key. */
function titleSql(access: Access, entity: EntityInfo): string {
  const right = entity.titleField === undefined ? undefined : access.rights(entity).fields[entity.titleField];
  if (right !== 'readonly' && right !== 'write') return `'#' || t.id::text`;
  const field = fieldOf(entity, entity.titleField!);
  return `coalesce(${columnSql('t', field.columns[0]!)}::text, '#' || t.id::text)`;
}
