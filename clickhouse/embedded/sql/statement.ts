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
  let lead: Token | null = null;
  for (const token of tokens(sql)) {
    if (token.text === '(') continue;
    lead = token;
    break;
  }
  if (!lead) throw refusal(62, 'SYNTAX_ERROR', 'Empty query');
  if (CLIENT_WORDS.test(sql.trim())) throw refusal(62, 'SYNTAX_ERROR', `Syntax error: ${sql.trim()}`);
  return isWord(lead, 'INSERT') ? parseInsert(sql, lead) : parseWhole(sql, lead);
}

function parseWhole(sql: string, lead: Token): Statement {
  const body: Token[] = [];
  let ended = false;
  for (const token of tokens(sql)) {
    if (token.depth !== 0) continue;
    if (token.text === ';') ended = true;
    else if (ended) throw refusal(62, 'SYNTAX_ERROR', 'Multi-statements are not allowed');
    else body.push(token);
  }
  if (body.length === 0) throw refusal(62, 'SYNTAX_ERROR', 'Empty query');
  refuseFiles(body);
  const end = body.at(-1)!.end;
  const clause = formatClause(body);
  const text = sql.slice(0, end);
  const format = clause?.name ?? null;
  const streamed = STREAMED.has(lead.text.toUpperCase()) && !body.some((token) => isWord(token, 'INSERT'));
  return streamed
    ? { kind: 'select', sql: text, format, at: { offset: clause?.start ?? end } }
    : { kind: 'command', sql: text, format };
}

interface InputCall {
  readonly start: number;
  readonly end: number;
  readonly structure: string;
}

function parseInsert(sql: string, lead: Token): Statement {
  const body: Token[] = [];
  const recent: Token[] = [];
  let select = false;
  let input: InputCall | null = null;
  for (const token of tokens(sql)) {
    input ??= inputCall(recent, token);
    recent.push(token);
    if (recent.length > 3) recent.shift();
    if (token.depth !== 0) continue;
    const previous = body.at(-1);
    body.push(token);
    if (token.text === ';') return parseWhole(sql, lead);
    if (isWord(token, 'SELECT') || isWord(token, 'WITH')) select = true;
    const named = isWord(previous, 'FORMAT') && token.kind === 'word';
    if (named && (!select || input)) {
      refuseFiles(body);
      const head = sql.slice(0, previous!.start);
      const dataAt = dataStart(sql, token.end);
      return input
        ? { kind: 'insert-input', sql: head, input, format: token.text, dataAt }
        : { kind: 'insert', head, format: token.text, dataAt };
    }
    if (isWord(token, 'VALUES') && !select && !named) {
      refuseFiles(body);
      return { kind: 'insert', head: sql.slice(0, token.start), format: 'Values', dataAt: token.end };
    }
  }
  if (input) throw refusal(62, 'SYNTAX_ERROR', 'INSERT ... FROM input() needs a FORMAT clause');
  if (select) return parseWhole(sql, lead);
  refuseFiles(body);
  return { kind: 'insert', head: sql, format: 'Values', dataAt: sql.length };
}

/** Recognises `input ( 'structure' )` when its closing parenthesis arrives. */
function inputCall(recent: readonly Token[], token: Token): InputCall | null {
  if (token.text !== ')') return null;
  const [name, open, argument] = recent;
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
    if (!isWord(word, 'FORMAT')) continue;
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
    const next = body[index + 1];
    if (
      (isWord(token, 'INTO') && isWord(next, 'OUTFILE')) ||
      (isWord(token, 'FROM') && isWord(next, 'INFILE'))
    ) {
      throw refusal(48, 'NOT_IMPLEMENTED', `${token.text} ${next!.text} is not supported over HTTP`);
    }
  }
}
