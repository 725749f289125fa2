import { refusal } from '../engine/engine-error.ts';
import { isWord, type Token, tokens } from './lexer.ts';

export type Statement =
  /** Streams its result: goes through a pipe, in any format. */
  | { readonly kind: 'select'; readonly sql: string; readonly format: string | null; readonly at: Placement }
  /** Everything else without input; its result, if any, is small. */
  | { readonly kind: 'command'; readonly sql: string; readonly format: string | null }
  /** Rows follow: `head` is everything before VALUES or FORMAT, `data` what the text itself holds of them. */
  | { readonly kind: 'insert'; readonly head: string; readonly format: string; readonly dataAt: number }
  /** INSERT ... SELECT ... FROM input('structure'): rows follow, read by the SELECT. */
  | {
      readonly kind: 'insert-input';
      readonly sql: string;
      readonly input: { readonly start: number; readonly end: number; readonly structure: string };
      readonly format: string;
      readonly dataAt: number;
    };

/** Where INTO OUTFILE goes: in front of the FORMAT clause or at the end. */
export interface Placement {
  readonly offset: number;
}

const STREAMED = new Set(['SELECT', 'WITH', 'FROM', 'VALUES']);
const CLIENT_WORDS = /^(exit|quit|logout|учше|йгше|дщпщге|q|й|\\q|\\й|:q|Жй)\s*;?$/i;

/** Recognises a statement. Throws the exceptions ClickHouse's HTTP interface throws for what it does not take. */
export function parseStatement(sql: string): Statement {
  const first: Token[] = [];
  for (const token of tokens(sql)) {
    if (token.text === '(' && first.length === 0) continue;
    first.push(token);
    break;
  }
  const lead = first[0];
  if (!lead) throw refusal(62, 'SYNTAX_ERROR', 'Empty query');
  if (CLIENT_WORDS.test(sql.trim())) throw refusal(62, 'SYNTAX_ERROR', `Syntax error: ${sql.trim()}`);
  return isWord(lead, 'INSERT') ? parseInsert(sql) : parseWhole(sql, lead);
}

function parseWhole(sql: string, lead: Token): Statement {
  const all = [...tokens(sql)];
  let length = all.length;
  while (length > 0 && all[length - 1]!.text === ';' && all[length - 1]!.depth === 0) length -= 1;
  const body = all.slice(0, length);
  if (body.some((token) => token.text === ';' && token.depth === 0)) {
    throw refusal(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed');
  }
  refuseFiles(body);
  const end = body.at(-1)?.end ?? 0;
  const clause = formatClause(body);
  const streamed =
    lead.kind === 'word' &&
    STREAMED.has(lead.text.toUpperCase()) &&
    !body.some((t) => t.depth === 0 && isWord(t, 'INSERT'));
  const text = sql.slice(0, end);
  const format = clause?.name ?? null;
  return streamed
    ? { kind: 'select', sql: text, format, at: { offset: clause?.start ?? end } }
    : { kind: 'command', sql: text, format };
}

function parseInsert(sql: string): Statement {
  const seen: Token[] = [];
  let select = false;
  let input: { start: number; end: number; structure: string } | null = null;
  for (const token of tokens(sql)) {
    const previous = seen.at(-1);
    if (token.depth === 0) {
      if (token.text === ';') return parseWhole(sql, seen[0]!);
      if (isWord(token, 'SELECT') || isWord(token, 'WITH')) select = true;
      if (isWord(token, 'VALUES') && !select && !isWord(previous, 'FORMAT')) {
        refuseFiles(seen);
        return { kind: 'insert', head: sql.slice(0, token.start), format: 'Values', dataAt: token.end };
      }
      if (isWord(previous, 'FORMAT') && token.kind === 'word' && (!select || input)) {
        refuseFiles(seen);
        const head = sql.slice(0, previous!.start);
        const dataAt = dataStart(sql, token.end);
        return input
          ? { kind: 'insert-input', sql: head, input, format: token.text, dataAt }
          : { kind: 'insert', head, format: token.text, dataAt };
      }
    }
    input ??= inputCall(seen, token);
    seen.push(token);
  }
  if (input) throw refusal(62, 'SYNTAX_ERROR', 'INSERT ... FROM input() needs a FORMAT clause');
  if (select) return parseWhole(sql, seen[0]!);
  refuseFiles(seen);
  return { kind: 'insert', head: sql, format: 'Values', dataAt: sql.length };
}

/** Recognises `input ( 'structure' )` when its closing parenthesis arrives. */
function inputCall(
  seen: readonly Token[],
  token: Token,
): { start: number; end: number; structure: string } | null {
  if (token.text !== ')') return null;
  const [name, open, argument] = seen.slice(-3);
  if (!isWord(name, 'INPUT') || open?.text !== '(' || argument?.kind !== 'string') return null;
  return { start: name!.start, end: token.end, structure: argument.text };
}

/** Data begins behind the format's name, blanks, and one line end, as in ClickHouse's parser. */
function dataStart(sql: string, from: number): number {
  let at = from;
  while (sql[at] === ' ' || sql[at] === '\t' || sql[at] === '\f') at += 1;
  if (sql[at] === '\r') at += 1;
  if (sql[at] === '\n') at += 1;
  return at;
}

function formatClause(body: readonly Token[]): { name: string; start: number } | null {
  for (let index = body.length - 1; index > 0; index -= 1) {
    const word = body[index]!;
    if (word.depth !== 0 || !isWord(word, 'FORMAT')) continue;
    const name = body[index + 1];
    const after = body[index + 2];
    if (name?.kind !== 'word' || (after && !isWord(after, 'SETTINGS'))) return null;
    return { name: name.text, start: word.start };
  }
  return null;
}

/** The engine would act as a command-line client and touch files of this machine. */
function refuseFiles(body: readonly Token[]): void {
  for (const [index, token] of body.entries()) {
    if (token.depth !== 0) continue;
    const next = body[index + 1];
    if (
      (isWord(token, 'INTO') && isWord(next, 'OUTFILE')) ||
      (isWord(token, 'FROM') && isWord(next, 'INFILE'))
    ) {
      throw refusal(48, 'NOT_IMPLEMENTED', `${token.text} ${next!.text} is not supported over HTTP`);
    }
  }
}
