/**
 * Reads PostgreSQL's array text `{a,"b c",NULL,{...}}`. Elements of the outermost level; a nested
 * array makes the result `nested`. Returns null when the text is not an array.
 */
export interface ParsedArray {
  readonly elements: readonly (string | null)[];
  /** Several dimensions, or a lower bound other than 1: the elements alone do not tell the value. */
  readonly irregular: boolean;
}

export function parseArray(text: string): ParsedArray | null {
  if (text.startsWith('[')) return /^\[[^\]]*\](\[[^\]]*\])*=\{.*\}$/s.test(text) ? IRREGULAR : null;
  if (!text.startsWith('{') || !text.endsWith('}')) return null;
  if (text === '{}') return { elements: [], irregular: false };
  const elements: (string | null)[] = [];
  const end = text.length - 1;
  let at = 1;
  while (at <= end) {
    if (text[at] === '{') return IRREGULAR;
    if (text[at] === '"') {
      let value = '';
      at += 1;
      while (text[at] !== '"') {
        if (at >= end) return null;
        if (text[at] === '\\') at += 1;
        value += text[at];
        at += 1;
      }
      at += 1;
      elements.push(value);
    } else {
      let value = '';
      while (at < end && text[at] !== ',') {
        if (text[at] === '\\') at += 1;
        value += text[at];
        at += 1;
      }
      if (value === '') return null;
      elements.push(value === 'NULL' ? null : value);
    }
    if (at === end) return { elements, irregular: false };
    if (text[at] !== ',') return null;
    at += 1;
  }
  return null;
}

const IRREGULAR: ParsedArray = { elements: [], irregular: true };
