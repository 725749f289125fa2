import { z } from 'zod';
import { HubError, UNAVAILABLE } from '#kernel';
import type { ExactJson } from '../types/index.ts';

/** A change event read as a whole: Debezium's events and whatever the fast reader does not know. */
export interface Change {
  readonly op: string;
  readonly before: Readonly<Record<string, ExactJson>> | null;
  readonly after: Readonly<Record<string, ExactJson>> | null;
  readonly generation: number | null;
  readonly schemaVersion: number | null;
  readonly lsn: number;
  readonly txId: number;
  /** Commit time, microseconds since 1970. */
  readonly committedAt: number;
}

const integer = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number),
]);
const row = z.custom<Readonly<Record<string, ExactJson>>>((value) => isObject(value as ExactJson)).nullish();
const schema = z.object({
  op: z.enum(['c', 'u', 'd', 'r', 't', 'm']),
  before: row,
  after: row,
  source: z.object({
    lsn: integer.nullish(),
    ts_ms: integer.nullish(),
    ts_us: integer.nullish(),
    gen: integer.nullish(),
    sv: integer.nullish(),
    txId: integer.nullish(),
  }),
});

/** A number of more digits than a double is sure to keep; the microseconds of the source block are not meant. */
const LONG_NUMBER = /(?<!"ts_us"|"ts_ns")[:,[]\s*-?\d[\d.]{15}/;

/** JSON whose numbers keep every digit: as numbers where that is certain, else as their text. */
export function parseExact(text: string): ExactJson {
  if (!LONG_NUMBER.test(text) && !LONG_START.test(text)) return JSON.parse(text) as ExactJson;
  return JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? (context?.source ?? value) : value,
  ) as ExactJson;
}

/** ... the same for a text that is but a number. */
const LONG_START = /^\s*-?\d[\d.]{15}/;

/** Null for messages that carry no row. Throws EVENT_INVALID. */
export function readChange(value: Buffer): Change | null {
  let json: ExactJson;
  try {
    json = parseExact(value.toString('utf8'));
  } catch (error) {
    throw notJson(value, error);
  }
  // Connect's JsonConverter with schemas enabled wraps the event.
  const body = isObject(json) && 'payload' in json && 'schema' in json ? json.payload : json;
  if (body === null) return null; // a tombstone that has been wrapped
  const parsed = schema.safeParse(body);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(`${issue?.path.join('.')}: ${issue?.message}`, parsed.error);
  }
  const { op, before, after, source } = parsed.data;
  if (op === 'm') return null;
  const foreign = source.sv === undefined || source.sv === null;
  return {
    op,
    before: before ? (foreign ? plainRow(before) : before) : null,
    after: after ? (foreign ? plainRow(after) : after) : null,
    generation: source.gen ?? null,
    schemaVersion: source.sv ?? null,
    // A row of Debezium's own snapshot: any change overrides it, see `rowVersion`.
    lsn: op === 'r' ? 0 : (source.lsn ?? 0),
    txId: source.txId ?? 0,
    committedAt: source.ts_us ?? (source.ts_ms ?? 0) * 1000,
  };
}

/**
 * The plugin yboutput gives each column as `{value, set}`, and null for one that an UPDATE did not touch:
 * that one is left out here, which is how a missing value looks elsewhere.
 * Source of the form: YugabyteDB documentation, "Logical replication", "Before image modes".
 */
function plainRow(image: NonNullable<Change['after']>): NonNullable<Change['after']> {
  const members = Object.entries(image);
  if (!members.some(([, value]) => isSetValue(value))) return image;
  return Object.fromEntries(
    members.map(([name, value]) => [name, isSetValue(value) ? (value.value ?? null) : UNAVAILABLE]),
  );
}

function isSetValue(value: ExactJson): value is { readonly value?: ExactJson; readonly set: boolean } {
  return (
    isObject(value) &&
    typeof value.set === 'boolean' &&
    Object.keys(value).every((name) => name === 'set' || name === 'value')
  );
}

/** Converters that work with a schema registry begin each message with a zero byte and the schema's number. */
const notJson = (value: Buffer, cause: unknown): HubError =>
  value[0] === 0
    ? new HubError(
        'EVENT_NOT_JSON',
        'The record is Avro, Protobuf or the like, for which a schema registry is needed.',
        {
          next: "Set the connector's key.converter and value.converter to org.apache.kafka.connect.json.JsonConverter, then take a new snapshot of the table.",
          cause,
        },
      )
    : invalid('it is not JSON', cause);

function isObject(json: ExactJson | undefined): json is { readonly [name: string]: ExactJson } {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

const invalid = (why: string, cause: unknown): HubError =>
  new HubError('EVENT_INVALID', `The record is no change event: ${why}.`, {
    next: 'Find out what wrote it into this topic, then discard or replay the dead letter.',
    cause,
  });

/** What stands at the end of a native event; filled by `readTail`. */
export class Tail {
  op = 0;
  lsn = 0;
  schemaVersion = 0;
  generation = 0;
  committedAt = 0;
}

const OP = Buffer.from('},"op":"');
const LSN = Buffer.from('"lsn":');
const SV = Buffer.from('"sv":');
const GEN = Buffer.from('"gen":');
const SNAPSHOT = Buffer.from('"snapshot":"false",');
const TXID = Buffer.from('"txId":');
const TS_US = Buffer.from('"ts_us":');
/** `X","ts_ms":0000000000000}` behind the op's opening quote. */
const AFTER_OP = 24;

/**
 * Reads a native event's tail (cdc/events) backwards, without touching the rows in front of it.
 * False if it looks different in any way: the event then takes the general path.
 */
export function readTail(value: Uint8Array, tail: Tail): boolean {
  const opAt = value.length - 1 - AFTER_OP;
  let at = opAt - OP.length;
  if (at < 0 || value[opAt + 1] !== 0x22 || !matches(value, at, OP)) return false;
  tail.op = value[opAt]!;
  number.at = at;
  if (!numberBefore(value, LSN)) return false;
  tail.lsn = number.value;
  if (value[number.at - 1] !== 0x2c) return false;
  number.at -= 1;
  if (!numberBefore(value, SV)) return false;
  tail.schemaVersion = number.value;
  if (value[number.at - 1] !== 0x2c) return false;
  number.at -= 1;
  if (!numberBefore(value, GEN)) return false;
  tail.generation = number.value;
  at = number.at - SNAPSHOT.length;
  if (at < 0 || !matches(value, at, SNAPSHOT)) return false;
  number.at = at - 1;
  if (!numberBefore(value, TXID)) return false;
  number.at -= 1;
  if (!numberBefore(value, TS_US)) return false;
  tail.committedAt = number.value;
  return true;
}

/** Cursor of `numberBefore`: one for all calls, nothing is allocated per event. */
const number = { at: 0, value: 0 };

/** Reads the digits that end at the cursor and the name before them; moves the cursor before the name. */
function numberBefore(value: Uint8Array, name: Uint8Array): boolean {
  let at = number.at - 1;
  let factor = 1;
  let sum = 0;
  for (; at >= 0; at -= 1) {
    const digit = value[at]! - 0x30;
    if (digit < 0 || digit > 9) break;
    sum += digit * factor;
    factor *= 10;
  }
  if (factor === 1 || sum > Number.MAX_SAFE_INTEGER) return false;
  at = at + 1 - name.length;
  if (at < 0 || !matches(value, at, name)) return false;
  number.at = at;
  number.value = sum;
  return true;
}

export function matches(value: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let i = 0; i < expected.length; i += 1) if (value[at + i] !== expected[i]) return false;
  return true;
}
