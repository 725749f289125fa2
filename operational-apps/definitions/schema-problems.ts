import type { z } from 'zod';
import type { YamlPath, YamlSource } from '#kernel';
import { hint } from './hint.ts';
import type { Problem } from './problems.ts';
import { appSchema } from './schema/app.ts';
import { EFFECT_KINDS, effectSchema } from './schema/effects.ts';
import { FIELD_TYPES, fieldSchema } from './schema/fields.ts';

type Issue = z.core.$ZodIssue;

/** What the schema refuses, in the words of the vocabulary and with the nearest valid word. */
export function schemaProblems(source: YamlSource, error: z.ZodError): Problem[] {
  return error.issues.flatMap((issue) => translate(source, issue));
}

function translate(source: YamlSource, issue: Issue, within?: 'effect'): Problem[] {
  const path = issue.path;
  if (path.at(-2) === 'effects' && !within) return effectProblems(source, path);
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
  if (issue.code === 'invalid_union') {
    const inner = closest(issue);
    if (inner) return inner.flatMap((one) => translate(source, { ...one, path: [...path, ...one.path] }));
  }
  const value = valueAt(source.value, path);
  if (value === undefined && path.length > 0) {
    return [source.problem(path.slice(0, -1), `\`${String(path.at(-1))}\` is missing`, 'key')];
  }
  return [source.problem(path, plain(issue))];
}

/** An effect is known by its key (`set` is also a part of others): it is tried again as that kind alone. */
function effectProblems(source: YamlSource, path: YamlPath): Problem[] {
  const value = valueAt(source.value, path);
  const kind = EFFECT_KINDS.findLast((one) => Object.keys(Object(value)).includes(one));
  if (kind === undefined) return [source.problem(path, `an effect is one of ${EFFECT_KINDS.join(', ')}`)];
  const issues = effectSchema.options[EFFECT_KINDS.indexOf(kind)]!.safeParse(value).error?.issues ?? [];
  return issues.flatMap((one) => translate(source, { ...one, path: [...path, ...one.path] }, 'effect'));
}

/**
 * Of a choice between objects, the problems of the one that was meant: with which most keys fit. Null
 * where what is there is none of the kinds offered at all.
 */
function closest(issue: z.core.$ZodIssueInvalidUnion): readonly Issue[] | null {
  const misfits = (errors: readonly Issue[]): number =>
    errors.reduce((sum, one) => {
      if (one.code === 'unrecognized_keys') return sum + 3 * one.keys.length;
      return sum + (one.path.length <= 1 ? 2 : 1);
    }, 0);
  const [best] = issue.errors
    .filter((errors) => errors.every((one) => one.path.length > 0 || one.code === 'unrecognized_keys'))
    .sort((a, b) => misfits(a) - misfits(b));
  return best ?? null;
}

function plain(issue: Issue): string {
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'invalid_union') {
    if ('options' in issue) return `must be one of ${(issue.options as unknown[]).join(', ')}`;
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

const isFieldPath = (path: YamlPath): boolean =>
  path.length === 4 && path[0] === 'entities' && path[2] === 'fields';

function keysAt(source: YamlSource, path: YamlPath): string[] {
  return [...new Set(shapesAt(appSchema, source.value, path).flatMap((shape) => Object.keys(shape)))];
}

/** The objects that may stand at `path`, found by walking the schema; a field's by its type. */
function shapesAt(schema: z.core.$ZodType, value: unknown, path: YamlPath): z.core.$ZodShape[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  switch (def.type) {
    case 'optional':
    case 'default':
      return shapesAt(def.innerType, value, path);
    case 'union': {
      const type = (value as { type?: unknown } | null)?.type;
      const chosen =
        schema === fieldSchema
          ? fieldSchema.options.filter((one) => one.shape.type.value === type)
          : def.options;
      return chosen.flatMap((option) => shapesAt(option, value, path));
    }
    case 'object': {
      if (path.length === 0) return [def.shape];
      const inner = def.shape[String(path[0])];
      return inner ? shapesAt(inner, valueAt(value, path.slice(0, 1)), path.slice(1)) : [];
    }
    case 'record':
      return path.length === 0
        ? []
        : shapesAt(def.valueType, valueAt(value, path.slice(0, 1)), path.slice(1));
    case 'array':
      return path.length === 0 ? [] : shapesAt(def.element, valueAt(value, path.slice(0, 1)), path.slice(1));
    default:
      return [];
  }
}

function valueAt(value: unknown, path: YamlPath): unknown {
  let at = value;
  for (const step of path) at = (at as Record<PropertyKey, unknown> | null | undefined)?.[step];
  return at;
}
