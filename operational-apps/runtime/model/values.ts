import { ADDRESS_PARTS } from '../../definitions/index.ts';
import type { Json } from '../types.ts';
import type { FieldInfo, Kind } from './catalogue.ts';

/**
 * SQL of a column as it is read: the text form of what JSON cannot hold exactly, so that a value reads
 * the same at the top of a select list (text) and inside a JSON array.
 */
export function readSql(kind: Kind, column: string): string {
  switch (kind) {
    case 'id':
    case 'integer':
    case 'number':
    case 'date':
    case 'dateTime':
    case 'reference':
      return `${column}::text`;
    default:
      return column;
  }
}

/** A field of a wire row (text) in the form `fromJson` takes. */
export function fromWire(kind: Kind, text: string | null): unknown {
  if (text === null) return null;
  switch (kind) {
    case 'boolean':
      // `t` of the wire, `true` of a cast.
      return text.startsWith('t');
    case 'multiSelect':
      return parseTextArray(text);
    case 'json':
      return JSON.parse(text) as unknown;
    default:
      return text;
  }
}

/** One value of a row as the engine shows it; see `AppsRuntime` for the forms. */
export function show(kind: Kind, raw: unknown): Json {
  if (raw === null || raw === undefined) return null;
  switch (kind) {
    case 'integer': {
      const value = Number(raw);
      return Number.isSafeInteger(value) ? value : String(raw);
    }
    case 'dateTime':
      return showInstant(String(raw));
    default:
      return raw as Json;
  }
}

/** `2026-01-31 12:00:00.5+00` as `2026-01-31T12:00:00.500Z`; microseconds only where there are some. */
function showInstant(text: string): string {
  const match = /^(.+) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text);
  if (!match) return text;
  const digits = match[3] ?? '';
  const fraction = digits.padEnd(digits.length > 3 ? 6 : 3, '0');
  return `${match[1]}T${match[2]}.${fraction}Z`;
}

/** Raw values of a field's columns, which stand in `raw` from `at` on, as the engine shows the field. */
export function showField(field: FieldInfo, raw: readonly unknown[], at = 0): Json {
  switch (field.kind) {
    case 'address': {
      if (ADDRESS_PARTS.every((_, index) => raw[at + index] === null)) return null;
      return Object.fromEntries(ADDRESS_PARTS.map((part, index) => [part, raw[at + index] as Json]));
    }
    case 'anyReference': {
      const [entity, id] = [raw[at], raw[at + 1]];
      return entity === null || id === null ? null : { entity: entity as string, id: String(id) };
    }
    default:
      return show(field.kind, raw[at]);
  }
}

/** Kinds of a field's columns, in their order. */
export function columnKinds(field: FieldInfo): readonly Kind[] {
  switch (field.kind) {
    case 'address':
      return ADDRESS_PARTS.map(() => 'text' as const);
    case 'anyReference':
      return ['text', 'id'];
    default:
      return [field.kind];
  }
}

/** `{a,"b,c"}`; the arrays here hold texts and no nulls. */
function parseTextArray(text: string): string[] {
  const items: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"|([^,{}"]+)/gs;
  for (const match of text.matchAll(pattern))
    items.push(match[1] === undefined ? match[2]! : match[1].replace(/\\(.)/gs, '$1'));
  return items;
}

/** Text form of an array parameter; null items stay null. */
export const arrayParam = (items: readonly (string | null)[]): string =>
  `{${items.map((item) => (item === null ? 'NULL' : `"${item.replace(/[\\"]/g, '\\$&')}"`)).join(',')}}`;
