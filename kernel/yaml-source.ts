import { isAlias, isMap, isPair, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

export type YamlPath = readonly PropertyKey[];

/** One thing wrong in one file. `line` and `column` count from 1. */
export interface YamlProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where in it, e.g. `entities.order.fields.total`. */
  readonly path: string;
  readonly message: string;
}

/** A YAML file as data that still knows where each part of it stands. */
export interface YamlSource {
  readonly file: string;
  readonly value: unknown;
  /** Syntax errors and repeated keys. */
  readonly problems: readonly YamlProblem[];
  /**
   * A problem at `path`, or at its nearest ancestor that is in the file. `at: 'key'` points to the
   * key itself, 'value' (default) to what it holds.
   */
  problem(path: YamlPath, message: string, at?: 'key' | 'value'): YamlProblem;
}

export function parseYaml(file: string, content: string): YamlSource {
  const counter = new LineCounter();
  const document = parseDocument(content, { lineCounter: counter, prettyErrors: false });
  const place = (offset: number) => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems = document.errors.map((error) => ({
    file,
    ...place(error.pos[0]),
    path: '',
    message:
      error.code === 'DUPLICATE_KEY' ? 'the same name is given twice in one place' : firstLine(error.message),
  }));
  const offsetOf = (path: YamlPath, at: 'key' | 'value'): number => {
    let node: unknown = document.contents;
    let offset = startOf(node) ?? 0;
    for (const [index, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(document);
      let found: { key: unknown; value: unknown } | undefined;
      if (isMap(node)) {
        const pair = node.items.find((item) => isPair(item) && keyText(item.key) === String(step));
        if (pair) found = { key: pair.key, value: pair.value };
      } else if (isSeq(node)) {
        const item = node.items[Number(step)];
        if (item !== undefined) found = { key: item, value: item };
      }
      if (!found) break;
      const last = index === path.length - 1;
      offset = (last && at === 'value' ? startOf(found.value) : null) ?? startOf(found.key) ?? offset;
      node = found.value;
    }
    return offset;
  };
  return {
    file,
    value: document.errors.length === 0 ? document.toJS({ maxAliasCount: 100 }) : undefined,
    problems,
    problem: (path, message, at = 'value') => ({
      file,
      ...place(offsetOf(path, at)),
      path: path.map(String).join('.'),
      message,
    }),
  };
}

const firstLine = (text: string): string => text.split('\n')[0] ?? text;

const startOf = (node: unknown): number | null => (node as Node | null)?.range?.[0] ?? null;

const keyText = (key: unknown): string => String((key as { value?: unknown } | null)?.value ?? key);
