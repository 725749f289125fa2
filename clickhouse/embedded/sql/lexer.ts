/** A token of a statement: what it is, where it starts and ends, and how deep in parentheses it lies. */
export interface Token {
  readonly kind: 'word' | 'string' | 'quoted' | 'symbol';
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly depth: number;
}

const WORD = /[\p{L}\p{N}_$]+/uy;
const SPACE = /\s+/y;
const OPENING = '([{';
const CLOSING = ')]}';

/**
 * ClickHouse's lexical rules as far as needed to find clauses: strings, quoted names, comments and
 * heredocs are skipped as units. Lazy, so that the data behind an INSERT is never scanned.
 */
export function* tokens(sql: string): Generator<Token> {
  let at = 0;
  let depth = 0;
  while (at < sql.length) {
    const char = sql[at]!;
    const comment = commentEnd(sql, at);
    if (comment !== null) {
      at = comment;
      continue;
    }
    const space = endOf(SPACE, sql, at);
    if (space !== null) {
      at = space;
      continue;
    }
    const start = at;
    const word = endOf(WORD, sql, at);
    const heredoc = char === '$' ? heredocEnd(sql, at) : null;
    if (heredoc !== null) {
      at = heredoc;
      yield { kind: 'string', text: sql.slice(start, at), start, end: at, depth };
    } else if (char === "'" || char === '"' || char === '`') {
      at = quoteEnd(sql, at);
      yield {
        kind: char === "'" ? 'string' : 'quoted',
        text: sql.slice(start, at),
        start,
        end: at,
        depth,
      };
    } else if (word !== null) {
      at = word;
      yield { kind: 'word', text: sql.slice(start, at), start, end: at, depth };
    } else {
      if (CLOSING.includes(char)) depth = Math.max(0, depth - 1);
      at += 1;
      yield { kind: 'symbol', text: char, start, end: at, depth };
      if (OPENING.includes(char)) depth += 1;
    }
  }
}

function endOf(pattern: RegExp, sql: string, at: number): number | null {
  pattern.lastIndex = at;
  return pattern.test(sql) ? pattern.lastIndex : null;
}

function commentEnd(sql: string, at: number): number | null {
  const two = sql.slice(at, at + 2);
  if (two === '/*') {
    const close = sql.indexOf('*/', at + 2);
    return close < 0 ? sql.length : close + 2;
  }
  if (two === '--' || two === '# ' || two === '#!') {
    const line = sql.indexOf('\n', at);
    return line < 0 ? sql.length : line + 1;
  }
  return null;
}

function heredocEnd(sql: string, at: number): number | null {
  const tag = /^\$\w*\$/.exec(sql.slice(at, at + 100))?.[0];
  if (tag === undefined) return null;
  const close = sql.indexOf(tag, at + tag.length);
  return close < 0 ? null : close + tag.length;
}

function quoteEnd(sql: string, at: number): number {
  const quote = sql[at]!;
  let end = at + 1;
  while (end < sql.length) {
    const char = sql[end]!;
    if (char === '\\') end += 2;
    else if (char !== quote) end += 1;
    else if (sql[end + 1] === quote) end += 2;
    else return end + 1;
  }
  return sql.length;
}

export const isWord = (token: Token | undefined, word: string): boolean =>
  token?.kind === 'word' && token.text.toUpperCase() === word;
