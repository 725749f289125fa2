import { createHash } from 'node:crypto';
import { type ColumnType, HubError, UNAVAILABLE } from '#kernel';
import { type ExactJson, encodeValue, NULL_FIELD } from '../types/index.ts';
import type { Plan } from './plan.ts';

/** A row image as fields; the general, slower path. */
export interface ImageFields {
  readonly fields: (string | Buffer)[];
  readonly raw: Map<string, string>;
  /** Fields whose value the event does not have. */
  readonly holes: number[];
  /** A NULL of these may as well be an unchanged value: it counts as a hole, and only the source can tell. */
  readonly unsure: boolean;
  /** Columns that got NULL although the table's column cannot hold it. */
  readonly widen: string[];
}

const BYTES = Buffer.from(UNAVAILABLE);
const UNAVAILABLE_BYTES = BYTES.toString('base64');
/** Of a uuid[]: the name's UUID of version 3. */
const UNAVAILABLE_UUID = nameUuid(BYTES);
const UNAVAILABLE_HSTORE = JSON.stringify({ [UNAVAILABLE]: UNAVAILABLE });
const ELEMENTS: ReadonlySet<ExactJson> = new Set([UNAVAILABLE, UNAVAILABLE_BYTES, UNAVAILABLE_UUID]);

/**
 * Debezium's placeholder, also in the forms it takes for bytes, hstore, and arrays of texts, bytes, UUIDs
 * or numbers (there, one number for each of its bytes).
 * Source: Debezium, PostgreSQL connector, `unavailable.value.placeholder`.
 */
const isUnavailable = (value: ExactJson | undefined): boolean => {
  if (typeof value === 'string') {
    return value === UNAVAILABLE || value === UNAVAILABLE_BYTES || value === UNAVAILABLE_HSTORE;
  }
  if (typeof value !== 'object' || value === null) return value === undefined;
  if (!Array.isArray(value)) return (value as Record<string, ExactJson>)[UNAVAILABLE] === UNAVAILABLE;
  if (value.length === 1) return ELEMENTS.has(value[0]);
  return value.length === BYTES.length && value.every((item, index) => item === BYTES[index]);
};

/** Element types for whose arrays there is a placeholder. */
const PLACEHOLDERS: ReadonlySet<string> = new Set(['text', 'int4', 'int8', 'date', 'uuid', 'bytes']);

/**
 * Types whose values may be stored out of line, and for which Debezium writes NULL where it would write its
 * placeholder. Seen with Debezium 3.6 and 3.7.
 */
const lacksPlaceholder = (type: ColumnType): boolean =>
  type.kind === 'array'
    ? !PLACEHOLDERS.has(type.element.kind)
    : type.kind === 'other' &&
      /^(path|polygon|bit varying|varbit|jsonpath|.*multirange)/.test(type.sourceType);

function nameUuid(name: Buffer): string {
  const hash = createHash('md5').update(name).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x30;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * @param complete the image is a new row: what it leaves out is a hole. Otherwise (the old row of a
 * delete) it is left empty.
 * @param foreign Debezium wrote it
 * @param nullIsUnsure see ImageFields.unsure
 */
export function encodeImage(
  plan: Plan,
  image: Readonly<Record<string, ExactJson>>,
  complete: boolean,
  foreign = false,
  nullIsUnsure = false,
): ImageFields {
  const fields = plan.fills.map((fill) => fill ?? NULL_FIELD);
  // Also of a deleted row: where the whole row is its key, `_raw` is part of it.
  const raw = new Map(plan.fillRaw);
  const holes: number[] = [];
  const widen: string[] = [];
  let unsure = false;
  for (const name of Object.keys(image)) {
    if (plan.byName.has(name)) continue;
    throw new HubError('COLUMN_UNKNOWN', `The event has a column ${name} that its table does not have.`, {
      next: 'Replay the dead letter once the table schema is registered.',
    });
  }
  for (const column of plan.columns) {
    if (column.target < 0) continue;
    const value = Object.hasOwn(image, column.name) ? image[column.name] : undefined;
    if (value === undefined || isUnavailable(value)) {
      if (complete) holes.push(column.target);
      else fields[column.target] = NULL_FIELD;
      continue;
    }
    if (value === null && nullIsUnsure && lacksPlaceholder(column.type)) {
      holes.push(column.target);
      unsure = true;
      continue;
    }
    const encoded = encodeValue(column.type, column.nullable, value, foreign);
    fields[column.target] = encoded.field;
    if (encoded.raw !== null) raw.set(column.rawName, encoded.raw);
    if (value === null && complete && !column.nullable && column.type.kind !== 'array')
      widen.push(column.rawName);
  }
  for (const key of plan.key) {
    const column = plan.columns.find((candidate) => candidate.target === key);
    if (column !== undefined && (!Object.hasOwn(image, column.name) || holes.includes(key))) {
      throw new HubError('KEY_MISSING', `The event lacks its key column ${column.name}.`, {
        next: 'Check the replica identity of the table.',
      });
    }
  }
  return { fields, raw, holes, unsure, widen };
}
