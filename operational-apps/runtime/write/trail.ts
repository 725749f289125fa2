import type { EntityInfo, FieldInfo } from '../model/catalogue.ts';
import { arrayParam, columnKinds, fromWire, showField } from '../model/values.ts';
import type { Statement } from '../sessions/index.ts';
import type { Json } from '../types.ts';
import { Binder, type Change, type StoredRow, type Unit } from './unit.ts';

const BOOKKEEPING = new Set(['id', 'created_at', 'updated_at', 'created_by', 'version']);

/** What differs between two states of a row, by field; null for a row that is not there. */
export function changesBetween(
  entity: EntityInfo,
  before: StoredRow | null,
  after: StoredRow | null,
  prefix = '',
): Change[] {
  const changes: Change[] = [];
  for (const field of entity.fields.values()) {
    if (BOOKKEEPING.has(field.name) || field.columns.length === 0) continue;
    const [a, b] = [before, after].map((row) => field.columns.map((column) => row?.get(column) ?? null));
    if (a!.every((value, index) => value === b![index])) continue;
    changes.push({ field: `${prefix}${field.name}`, old: shown(field, a!), new: shown(field, b!) });
  }
  return changes;
}

/** A stored row as a record, for the trail of rows that came or went. */
export function wholeRow(entity: EntityInfo, row: StoredRow): Json {
  const entries = [...entity.fields.values()]
    .filter((field) => field.columns.length > 0 && (field.name === 'id' || !BOOKKEEPING.has(field.name)))
    .map(
      (field) =>
        [
          field.name,
          shown(
            field,
            field.columns.map((column) => row.get(column) ?? null),
          ),
        ] as const,
    )
    .filter(([, value]) => value !== null);
  return Object.fromEntries(entries);
}

function shown(field: FieldInfo, texts: readonly (string | null)[]): Json {
  const kinds = columnKinds(field);
  return showField(
    field,
    texts.map((text, index) => fromWire(kinds[index]!, text)),
  );
}

const MOST_PER_STATEMENT = 200;

/** The statements that write the trail of a unit; they need the app's own rights. */
export function trailStatements(unit: Unit): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < unit.trail.length; at += MOST_PER_STATEMENT) {
    const binder = new Binder();
    const shared = [
      binder.add(unit.identity.tenant),
      binder.add(unit.identity.user),
      binder.add(unit.call.surface),
      binder.add(unit.call.requestId ?? null),
    ];
    const rows = unit.trail.slice(at, at + MOST_PER_STATEMENT).map((entry) => {
      const own = [
        binder.add(entry.entity.path),
        `${binder.add(entry.id)}::bigint`,
        binder.add(entry.kind),
        binder.add(entry.name ?? null),
        binder.add(entry.text ?? null),
        `${binder.add(entry.mentions ? arrayParam(entry.mentions) : null)}::text[]`,
        `${binder.add(entry.changes ? JSON.stringify(entry.changes) : null)}::jsonb`,
      ];
      return `(${[...shared, ...own].join(', ')})`;
    });
    statements.push(
      binder.statement(
        `INSERT INTO bac.activity (tenant_id, actor, surface, request_id, entity, record_id, kind, name, body, mentions, changes) VALUES ${rows.join(', ')}`,
        rows.length === 1,
      ),
    );
  }
  unit.trail.length = 0;
  return statements;
}
