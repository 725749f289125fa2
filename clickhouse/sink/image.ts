import { HubError, UNAVAILABLE } from '#kernel';
import { type ExactJson, encodeValue, NULL_FIELD } from '../types/index.ts';
import type { Plan } from './plan.ts';

/** A row image as fields; the general, slower path. */
export interface ImageFields {
  readonly fields: (string | Buffer)[];
  readonly raw: Map<string, string>;
  /** Fields whose value the event does not have. */
  readonly holes: number[];
  /** Columns that got NULL although the table's column cannot hold it. */
  readonly widen: string[];
}

const UNAVAILABLE_BYTES = Buffer.from(UNAVAILABLE).toString('base64');

/** Debezium's placeholder, also in the forms it takes for bytes and arrays. */
const isUnavailable = (value: ExactJson | undefined): boolean =>
  value === undefined ||
  value === UNAVAILABLE ||
  value === UNAVAILABLE_BYTES ||
  (Array.isArray(value) &&
    value.length === 1 &&
    (value[0] === UNAVAILABLE || value[0] === UNAVAILABLE_BYTES));

/**
 * @param complete the image is a new row: what it leaves out is a hole. Otherwise (the old row of a
 * delete) it is left empty.
 */
export function encodeImage(
  plan: Plan,
  image: Readonly<Record<string, ExactJson>>,
  complete: boolean,
): ImageFields {
  const fields = plan.fills.map((fill) => fill ?? NULL_FIELD);
  // Also of a deleted row: where the whole row is its key, `_raw` is part of it.
  const raw = new Map(plan.fillRaw);
  const holes: number[] = [];
  const widen: string[] = [];
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
    const encoded = encodeValue(column.type, column.nullable, value);
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
  return { fields, raw, holes, widen };
}
