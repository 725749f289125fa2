import { isIPv6 } from 'node:net';
import type { Param } from '../sessions/index.ts';
import type { Json } from '../types.ts';
import type { FieldInfo } from './catalogue.ts';
import { arrayParam } from './values.ts';

/** Why a value does not fit, as the end of the sentence "must be ...". */
export class Unfit extends Error {}

const MAX_TEXT = 1_000_000;
const MAX_JSON = 1_000_000;
const INT64 = 2n ** 63n;

/** The parameter for a value of a one-column field. Throws Unfit. Null stays null. */
export function toParam(field: FieldInfo, value: Json): Param {
  if (value === null) return null;
  switch (field.kind) {
    case 'id':
    case 'reference':
      return toId(value);
    case 'integer':
      return toInteger(value);
    case 'number':
      return toDecimal(value, field);
    case 'boolean':
      if (typeof value !== 'boolean') throw new Unfit('true or false');
      return String(value);
    case 'date':
      return toDate(value);
    case 'dateTime':
      return toInstant(value);
    case 'select':
      if (typeof value !== 'string' || !field.options!.includes(value))
        throw new Unfit(`one of ${field.options!.join(', ')}`);
      return value;
    case 'multiSelect':
      return toSelection(value, field);
    case 'email':
      return toEmail(value);
    case 'json':
      return toJson(value);
    case 'text':
      return field.model?.type === 'url' ? toUrl(value) : toText(value);
    default:
      throw new Unfit('left out here');
  }
}

export function toText(value: Json): string {
  if (typeof value !== 'string') throw new Unfit('a text');
  if (value.length > MAX_TEXT) throw new Unfit(`at most ${MAX_TEXT} characters long`);
  if (value.includes('\0')) throw new Unfit('a text without NUL');
  if (!value.isWellFormed()) throw new Unfit('well-formed Unicode');
  return value;
}

export function toId(value: Json): string {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || !/^[1-9]\d{0,18}$/.test(text) || BigInt(text) >= INT64)
    throw new Unfit('the id of a record');
  return text;
}

function toInteger(value: Json): string {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && /^-?\d{1,19}$/.test(value)) {
    const number = BigInt(value);
    if (number === BigInt.asIntN(64, number)) return String(number);
  }
  throw new Unfit('a whole number between -2^63 and 2^63 - 1');
}

function toDecimal(value: Json, field: FieldInfo): string {
  const text = typeof value === 'number' && Number.isFinite(value) ? plain(value) : value;
  const match = typeof text === 'string' ? /^(-?)(\d{1,40})(?:\.(\d{1,40}))?$/.exec(text) : null;
  if (!match) throw new Unfit('a number in plain digits');
  const limits = /^numeric\((\d+),(\d+)\)$/.exec(field.sqlType);
  if (limits) {
    const [precision, scale] = [Number(limits[1]), Number(limits[2])];
    if ((match[3] ?? '').replace(/0+$/, '').length > scale)
      throw new Unfit(
        scale === 0 ? 'a whole number' : `a number with at most ${scale} digits after the point`,
      );
    if (match[2]!.replace(/^0+/, '').length > precision - scale)
      throw new Unfit(`a number with at most ${precision - scale} digits before the point`);
  }
  return text as string;
}

/** A JavaScript number without exponent. */
function plain(value: number): string {
  const text = String(value);
  if (!/e/i.test(text)) return text;
  return Math.abs(value) >= 1 ? BigInt(Math.round(value)).toString() : value.toFixed(20).replace(/0+$/, '');
}

function toDate(value: Json): string {
  const match = typeof value === 'string' ? /^(\d{4})-(\d\d)-(\d\d)$/.exec(value) : null;
  if (!match) throw new Unfit('a date as YYYY-MM-DD');
  const date = new Date(`${value as string}T00:00:00Z`);
  if (match[1] === '0000' || Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(match[3]))
    throw new Unfit('a day of the calendar');
  return value as string;
}

function toInstant(value: Json): string {
  if (
    typeof value !== 'string' ||
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/.test(value) ||
    value.startsWith('0000')
  )
    throw new Unfit('an instant in ISO 8601, such as 2026-01-31T12:00:00Z');
  toDate(value.slice(0, 10));
  if (Number.isNaN(Date.parse(value))) throw new Unfit('an instant that exists');
  return value;
}

function toSelection(value: Json, field: FieldInfo): string {
  if (!Array.isArray(value)) throw new Unfit('a list');
  const items = [...new Set(value as Json[])];
  for (const item of items)
    if (typeof item !== 'string' || !field.options!.includes(item))
      throw new Unfit(`a list of ${field.options!.join(', ')}`);
  return arrayParam(items as string[]);
}

function toEmail(value: Json): string {
  const text = toText(value);
  if (text.length > 320 || !/^[^\s@<>(),;:\\"]+@[^\s@<>(),;:\\"]+$/.test(text))
    throw new Unfit('an e-mail address');
  return text;
}

function toUrl(value: Json): string {
  const text = toText(value);
  if (!/^https?:\/\/[^\s]+$/i.test(text) || !URL.canParse(text)) throw new Unfit('an http(s) address');
  const host = new URL(text).hostname.replace(/^\[|\]$/g, '');
  if (host === '' || (host.includes(':') && !isIPv6(host))) throw new Unfit('an http(s) address');
  return text;
}

function toJson(value: Json): string {
  const text = JSON.stringify(value);
  if (text.length > MAX_JSON) throw new Unfit(`at most ${MAX_JSON} characters of JSON`);
  // jsonb has no NUL; an unpaired surrogate is refused by the server as well.
  if (/\\u0000/.test(text) || !text.isWellFormed() || /\\ud[89a-f]/i.test(text))
    throw new Unfit('JSON without NUL and unpaired surrogates');
  return text;
}
