import { randomInt } from 'node:crypto';
import { HARD_MAX_ROWS } from './library.ts';
import type { Plan } from './planner/index.ts';

/**
 * Questions that differ in the values of filters, limits and offsets only have plans that differ in nothing else. Such
 * a question is planned once with a mark in the place of each value; others of its form are the same text with their
 * own values in it. Cube's planner decides by a value in few cases: those values stay in the form.
 */

/** Operators whose values Cube puts into the statement as they are, whatever they are. */
const BY_VALUE = new Set(['equals', 'notEquals', 'gt', 'gte', 'lt', 'lte']);
/** Those that look for a part of a text, in which these characters are escaped. */
const BY_PART = new Set([
  'contains',
  'notContains',
  'startsWith',
  'notStartsWith',
  'endsWith',
  'notEndsWith',
]);
const ESCAPED = /[%_\\]/;
/** Read as something other than a text in some place of Cube or of ClickHouse. */
const READ_OTHERWISE = /^(?:|true|false|null|\d{4}-.*)$/is;
const NUMBER = /^-?\d+(?:\.\d+)?$/;

// Not to be guessed, so that nobody's text is taken for a mark.
const STAMP = `bac${randomInt(2 ** 47).toString(36)}q`;
const NUMBERS = randomInt(10 ** 9, 10 ** 10);
const LIMITS = randomInt(900_000, 990_000);
const MOST = 500;

type Value = string | number;

export interface Form {
  /** The question with marks for values. */
  readonly query: unknown;
  readonly values: readonly Value[];
}

/** Splits a question in Cube's REST format into its form and its values. */
export function formOf(query: unknown): Form {
  const values: Value[] = [];
  const marks = new Map<Value, Value>();
  const mark = (value: Value): Value => {
    if (values.length === MOST) return value;
    values.push(value);
    return markOf(value, values.length - 1);
  };
  const filterValue = (value: unknown, operator: string): unknown => {
    if (typeof value !== 'string' || READ_OTHERWISE.test(value)) return value;
    if (BY_PART.has(operator) ? ESCAPED.test(value) : !BY_VALUE.has(operator)) return value;
    // Equal ones get one mark: Cube looks at which are.
    const known = marks.get(value) ?? mark(value);
    marks.set(value, known);
    return known;
  };
  const filter = (one: unknown): unknown => {
    if (!isRecord(one)) return one;
    if (Array.isArray(one.and)) return { ...one, and: one.and.map(filter) };
    if (Array.isArray(one.or)) return { ...one, or: one.or.map(filter) };
    if (!Array.isArray(one.values)) return one;
    return { ...one, values: one.values.map((value) => filterValue(value, String(one.operator))) };
  };
  const single = (one: unknown): unknown => {
    if (!isRecord(one)) return one;
    const { filters, limit, offset } = one;
    return {
      ...one,
      ...(Array.isArray(filters) ? { filters: filters.map(filter) } : {}),
      ...(isCount(limit) ? { limit: mark(limit) } : {}),
      ...(isCount(offset) ? { offset: mark(offset) } : {}),
    };
  };
  const marked = Array.isArray(query) ? query.map(single) : single(query);
  return { query: marked, values };
}

/** The plan of a form. */
export interface Template {
  readonly ranges: Plan['ranges'];
  /** Length as text. */
  readonly size: number;
  /** The plan of the question with these values. */
  with(values: readonly Value[]): Plan;
}

/**
 * `text` is the plan's JSON. Null if the marks are not where the values would be, and nowhere else: then each question
 * is planned by itself.
 */
export function templateOf(text: string, plan: Plan, { values }: Form): Template | null {
  const about = { ranges: plan.ranges, size: text.length };
  if (values.length === 0) return { ...about, with: () => plan };
  const marks = values.map(markOf);
  if (!allStated(plan, marks)) return null;
  const placeOf = new Map(marks.map((mark, index) => [JSON.stringify(mark), index]));
  const limits = marks.filter((mark) => typeof mark === 'number');
  const pieces: string[] = [];
  const places: number[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(placesOf(limits))) {
    const place = placeOf.get(found);
    if (place === undefined) return null;
    pieces.push(text.slice(end, index));
    places.push(place);
    end = index + found.length;
  }
  pieces.push(text.slice(end));
  const stray = [STAMP, NUMBERS, ...limits].map(String);
  if (pieces.some((piece) => stray.some((mark) => piece.includes(mark)))) return null;
  return {
    ...about,
    with: (own) =>
      JSON.parse(
        pieces
          .map((piece, index) => (index === 0 ? '' : JSON.stringify(own[places[index - 1]!])) + piece)
          .join(''),
      ) as Plan,
  };
}

const textMark = (index: number): string => `${STAMP}${index}z`;
const numberMark = (index: number): string => `${NUMBERS}${String(index).padStart(3, '0')}`;
const limitMark = (index: number): number => LIMITS + index;
const markOf = (value: Value, index: number): Value =>
  typeof value === 'number' ? limitMark(index) : NUMBER.test(value) ? numberMark(index) : textMark(index);

/** Marks as whole texts, and numbers as JSON or where a statement has them; in one pass, however many there are. */
const placesOf = (limits: readonly Value[]): RegExp => {
  const numbers = limits.length > 0 ? `|(?<=":|(?:LIMIT|OFFSET) )(?:${limits.join('|')})(?![\\d.])` : '';
  return new RegExp(`"${STAMP}\\d+z"|"${NUMBERS}\\d{3}"${numbers}`, 'g');
};

/** Each value is in a statement, where it would be. */
function allStated({ parts }: Plan, marks: readonly Value[]): boolean {
  const stated = new Set(parts.flatMap(({ statement }) => statement.values));
  return marks.every((mark) =>
    typeof mark === 'number'
      ? parts.some(({ statement }) => new RegExp(`\\b(?:LIMIT|OFFSET) ${mark}\\b`).test(statement.query))
      : stated.has(mark),
  );
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= HARD_MAX_ROWS;
