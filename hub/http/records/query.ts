import { z } from 'zod';
import { type Condition, FILTER_OPERATORS, type Filter, type ListQuery, type Selection } from '#apps';
import { userError } from '#kernel';

const LISTS: ReadonlySet<string> = new Set(['in', 'all', 'any']);

const texts = z
  .string()
  .max(4000)
  .transform((text) => text.split(',').filter(Boolean));

/** Query parameters of a list; all others are conditions on fields: `status=won`, `amount.gte=100`, `owner.email=a@b`. */
export const listParameters = z
  .object({
    filter: z
      .string()
      .max(20_000)
      .optional()
      .describe('A filter as JSON: {"and":[{"amount":{"gte":"100"}}]}.'),
    sort: texts.optional().describe('Fields, comma separated; `-field` for descending.'),
    first: z.coerce.number().int().min(1).max(500).optional().describe('Rows of the page; 50 if absent.'),
    after: z.string().max(4000).optional().describe('`next` of the page before.'),
    before: z.string().max(4000).optional().describe('`previous` of the page after.'),
    search: z.string().max(200).optional().describe('Text to be found in the search fields.'),
    fields: texts.optional().describe('Fields wanted, comma separated; all if absent.'),
    count: z.stringbool().optional().describe('Count all rows too, up to 10,000.'),
  })
  .catchall(z.union([z.string().max(4000), z.array(z.string().max(4000)).max(20)]));

const OWN = new Set(['filter', 'sort', 'first', 'after', 'before', 'search', 'fields', 'count', 'format']);

export function toListQuery(query: z.output<typeof listParameters>): ListQuery {
  if (query.after !== undefined && query.before !== undefined)
    throw userError('CURSOR_INVALID', '`after` and `before` exclude each other.', 'Give one of them.');
  const cursor = query.before ?? query.after;
  const filter = filterOf(query);
  return {
    ...(filter ? { filter } : {}),
    ...(query.sort ? { sort: query.sort } : {}),
    ...(query.first === undefined ? {} : { first: query.first }),
    ...(cursor === undefined ? {} : { after: cursor }),
    ...(query.before === undefined ? {} : { backward: true }),
    ...(query.search ? { search: query.search } : {}),
    ...(query.count ? { count: true } : {}),
    ...selected(query.fields),
  };
}

export const selected = (fields: readonly string[] | undefined): { select?: Selection } =>
  fields && fields.length > 0 ? { select: Object.fromEntries(fields.map((field) => [field, true])) } : {};

/** The filter of a request: its JSON and its single conditions, all of which must hold. */
export function filterOf(query: z.output<typeof listParameters>): Filter | null {
  const all: Filter[] = [];
  if (query.filter !== undefined) all.push(parseFilter(query.filter));
  for (const [name, value] of Object.entries(query)) {
    if (OWN.has(name)) continue;
    for (const one of Array.isArray(value) ? value : [value]) all.push(conditionOf(name, String(one)));
  }
  return all.length > 1 ? { and: all } : (all[0] ?? null);
}

function parseFilter(text: string): Filter {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw userError(
      'FILTER_INVALID',
      '`filter` is not JSON.',
      'Send an object such as {"status":{"eq":"won"}}.',
      cause,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw userError(
      'FILTER_INVALID',
      '`filter` is not an object.',
      'Send an object such as {"status":{"eq":"won"}}.',
    );
  return value as Filter;
}

/** `owner.email.contains` and `x`: {owner: {email: {contains: 'x'}}}. Without an operator it is `eq`. */
function conditionOf(name: string, text: string): Filter {
  const path = name.split('.');
  const last = path.at(-1)!;
  const operator =
    (FILTER_OPERATORS as readonly string[]).includes(last) && path.length > 1 ? (path.pop() as string) : 'eq';
  if (path.some((part) => !/^[a-z][a-z0-9_]{0,39}$/.test(part)))
    throw userError(
      'FILTER_INVALID',
      `\`${name}\` is neither a parameter nor a field.`,
      'See /api/v1/openapi.json.',
    );
  const value = operator === 'isNull' ? text === 'true' : LISTS.has(operator) ? text.split(',') : text;
  return path.reduceRight<Filter | Condition>((inner, part) => ({ [part]: inner }) as Filter, {
    [operator]: value,
  }) as Filter;
}
