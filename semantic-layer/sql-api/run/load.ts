import { pgIdent, type SemanticQuery, type SemanticResult } from '#kernel';
import { type Governed, type Slot, slotName } from '../compile/governed.ts';
import { SqlError } from '../errors.ts';
import { ENGINE_TYPES, type SqlType } from '../types.ts';
import type { EngineConnection } from './engine.ts';

/** The question to the semantic layer that fills a table of the statement. */
export function queryOf(governed: Governed): SemanticQuery {
  const { shape } = governed;
  const slots = slotsOf(governed);
  const of = (kind: Slot['member']['kind']): string[] =>
    slots
      .filter((slot) => slot.granularity === null && slot.member.kind === kind)
      .map((slot) => slot.member.name);
  const times = slots.filter((slot) => slot.granularity !== null);
  return {
    measures: of('measure'),
    dimensions: of('dimension'),
    timeDimensions: times.map((slot) => ({ dimension: slot.member.name, granularity: slot.granularity! })),
    filters: governed.filters,
    ...(governed.segments.length > 0 ? { segments: governed.segments } : {}),
    order: governed.order,
    limit: governed.limit,
    timezone: 'UTC',
    ...(shape.mode === 'rows' ? { ungrouped: true } : {}),
  };
}

/** A row without columns is still a row: something has to be asked for to count it. */
function slotsOf(governed: Governed): readonly Slot[] {
  if (governed.slots.length > 0) return governed.slots;
  const dimensions = [...governed.relation.members.values()].filter((member) => member.kind === 'dimension');
  const member = dimensions.find((one) => one.primaryKey) ?? dimensions[0];
  if (!member)
    throw new SqlError('0A000', `"${governed.relation.name}" has no dimension to list`, {
      hint: `SELECT MEASURE(...) FROM ${governed.relation.name}`,
    });
  return [{ member, granularity: null }];
}

/** Puts what was loaded into a temporary table named after the source. Errors: XX000 when a column is missing. */
export async function fill(
  connection: EngineConnection,
  governed: Governed,
  result: SemanticResult,
): Promise<void> {
  const slots = slotsOf(governed);
  const places = slots.map((slot) => {
    const name = slotName(slot);
    const at = result.columns.findIndex((column) => column.name === name);
    if (at < 0) throw new Error(`the semantic layer did not answer ${name}`);
    return at;
  });
  const staged = `${governed.table}_text`;
  const columns = slots.map((_, at) => `"v${at}" VARCHAR`).join(', ');
  await connection.run(`CREATE TEMP TABLE "${staged}" (${columns})`);
  const appender = await connection.raw.createAppender(staged, null, 'temp');
  for (const row of result.rows) {
    for (const place of places) {
      const value = row[place];
      if (value === null || value === undefined) appender.appendNull();
      else appender.appendVarchar(String(value));
    }
    appender.endRow();
  }
  appender.closeSync();
  const list = slots.map((slot, at) => {
    const held = heldIn(slot.member.type, result.rows, places[at]!);
    return `CAST("v${at}" AS ${held}) AS ${pgIdent(slotName(slot))}`;
  });
  await connection.run(`CREATE TEMP TABLE "${governed.table}" AS SELECT ${list.join(', ')} FROM "${staged}"`);
  await connection.run(`DROP TABLE "${staged}"`);
}

const LONGEST = 38;
const FINEST = 12;

/** Numerics are decimals as wide as the values need, or doubles where those are what the warehouse computed. */
function heldIn(type: SqlType, rows: readonly (readonly unknown[])[], place: number): string {
  if (type !== 'numeric') return ENGINE_TYPES[type];
  let [whole, scale] = [1, 0];
  for (const row of rows) {
    const value = row[place];
    if (value === null || value === undefined) continue;
    const parts = /^-?(\d+)(?:\.(\d+))?$/.exec(String(value));
    if (!parts) return 'DOUBLE';
    whole = Math.max(whole, parts[1]!.length);
    scale = Math.max(scale, (parts[2] ?? '').replace(/0+$/, '').length);
  }
  return scale > FINEST || whole + scale > LONGEST ? 'DOUBLE' : `DECIMAL(${LONGEST}, ${scale})`;
}
