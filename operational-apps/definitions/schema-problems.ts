import type { z } from 'zod';
import { nearest } from '#kernel';
import { FIELD_TYPES, fieldSchema } from './fields.ts';
import type { Problem } from './problems.ts';
import { appSchema, entitySchema, numberingSchema, statesSchema } from './schema.ts';
import type { Path, Source } from './source.ts';

type Issue = z.core.$ZodIssue;

/** What the schema refuses, in the words of the vocabulary and with the nearest valid word. */
export function schemaProblems(source: Source, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => translate(source, issue));
}

function translate(source: Source, issue: Issue): Problem[] {
  const path = issue.path;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      source.problem([...path, key], `unknown key \`${key}\`${hint(key, keysAt(source, path))}`, 'key'),
    );
  }
  if (issue.code === 'invalid_union' && isFieldPath(path.slice(0, 4)) && path.length <= 5) {
    const at = path.length === 4 ? [...path, 'type'] : path;
    const type = valueAt(source.value, at);
    if (type === undefined)
      return [source.problem(path.slice(0, 4), `a field needs a type: ${FIELD_TYPES.join(', ')}`, 'key')];
    return [source.problem(at, `unknown field type \`${String(type)}\`${hint(String(type), FIELD_TYPES)}`)];
  }
  if (issue.code === 'invalid_key') {
    const reason = issue.issues[0]?.message ?? 'is not a usable name';
    return [source.problem(path, `name \`${String(path.at(-1))}\` ${reason}`, 'key')];
  }
  const value = valueAt(source.value, path);
  if (value === undefined && path.length > 0) {
    return [source.problem(path.slice(0, -1), `\`${String(path.at(-1))}\` is missing`, 'key')];
  }
  return [source.problem(path, plain(issue))];
}

function plain(issue: Issue): string {
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'invalid_union') {
    const kinds = issue.errors.flatMap((errors) =>
      errors.flatMap((inner) => (inner.path.length === 0 ? [plain(inner)] : [])),
    );
    return kinds.length === 0 ? 'has the wrong form' : [...new Set(kinds)].join(', or ');
  }
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1);
}

const article = (expected: string): string =>
  ({
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'a mapping of keys to values',
    record: 'a mapping of names to values',
    array: 'a list',
  })[expected] ?? expected;

/** `, did you mean \`x\`?`, or the list of what is known. */
export function hint(wrong: string, known: readonly string[]): string {
  const near = nearest(wrong, known);
  if (near) return `, did you mean \`${near}\`?`;
  return known.length === 0 ? '' : `; known here: ${known.slice(0, 20).join(', ')}`;
}

const isFieldPath = (path: Path): boolean =>
  path.length === 4 && path[0] === 'entities' && path[2] === 'fields';

function keysAt(source: Source, path: Path): string[] {
  if (path.length === 0) return Object.keys(appSchema.shape);
  if (path[0] === 'app') return Object.keys(appSchema.shape.app.shape);
  if (path.length === 2) return Object.keys(entitySchema.shape);
  if (isFieldPath(path)) {
    const type = valueAt(source.value, [...path, 'type']);
    const option = fieldSchema.options.find((one) => one.shape.type.value === type);
    return option ? Object.keys(option.shape) : [];
  }
  if (path[2] === 'states' && path.length === 3) return Object.keys(statesSchema.shape);
  if (path[2] === 'states' && path[3] === 'transitions') return ['from', 'to', 'label', 'roles'];
  if (path[2] === 'numbering') return Object.keys(numberingSchema.shape);
  return [];
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) at = (at as Record<PropertyKey, unknown> | null | undefined)?.[step];
  return at;
}
