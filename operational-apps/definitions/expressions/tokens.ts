import { ExpressionError } from './tree.ts';

export interface Token {
  readonly kind: 'number' | 'text' | 'name' | 'word' | 'variable' | 'sign' | 'end';
  /** As written; of a text what it says, of a variable its name. */
  readonly text: string;
  readonly at: number;
}

/** Words that are operators or values; no field can be spoken of by one of them. */
const WORDS = new Set(['or', 'and', 'not', 'in', 'is', 'null', 'contains', 'true', 'false']);

const TOKEN =
  /\s*(?:(?<number>\d+(?:\.\d+)?)|(?<text>'(?:[^']|'')*')|\$(?<variable>[a-z][a-z0-9_]*)|(?<name>[a-z][a-z0-9_]*)|(?<sign><=|>=|!=|<>|\|\||[-+*/(),.[\]=<>]))/uy;

/** Throws ExpressionError at the first character no token begins with. The last token is the end. */
export function tokenise(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match?.groups) {
      const rest = text.slice(start);
      const at = start + rest.length - rest.trimStart().length;
      throw new ExpressionError(
        rest.trimStart().startsWith("'")
          ? `the text that begins at character ${at + 1} has no end: a quote is missing`
          : `cannot read \`${rest.trim().slice(0, 10)}\` at character ${at + 1}`,
      );
    }
    const { number, text: quoted, variable, name, sign } = match.groups;
    const at = TOKEN.lastIndex - match[0].trimStart().length;
    if (number !== undefined) tokens.push({ kind: 'number', text: number, at });
    else if (quoted !== undefined)
      tokens.push({ kind: 'text', text: quoted.slice(1, -1).replaceAll("''", "'"), at });
    else if (variable !== undefined) tokens.push({ kind: 'variable', text: variable, at });
    else if (name !== undefined) tokens.push({ kind: WORDS.has(name) ? 'word' : 'name', text: name, at });
    else tokens.push({ kind: 'sign', text: sign === '<>' ? '!=' : sign!, at });
  }
  tokens.push({ kind: 'end', text: '', at: end });
  return tokens;
}
