import {
  type Apps,
  assignment,
  compileAssignment,
  compileExpression,
  type EntityModel,
  type FieldModel,
  type Place,
  parseExpression,
  type Row,
  type Rows,
  rowsAt,
  type SqlContext,
  type Step,
  scopeFor,
  TENANT_SETTING,
  type Type,
  type Typed,
  typedExpression,
  typeOfField,
} from '../../definitions/index.ts';
import { type EntityInfo, fieldOf, sqlTypeOf } from '../model/catalogue.ts';
import { arrayParam } from '../model/values.ts';
import type { Given } from './given.ts';
import { Binder, type StoredRow, type Unit } from './unit.ts';

/** A record an expression speaks of, as it is at this point of the transaction. */
export interface Subject {
  readonly entity: EntityInfo;
  readonly row: StoredRow;
  /** `$old`; the row itself when nothing has changed it yet. */
  readonly old: StoredRow;
  /** `$input`, with the fields that were asked for. */
  readonly input: { readonly fields: readonly FieldModel[]; readonly given: Given } | null;
  /** Records made by earlier effects, by their `as`. */
  readonly records: ReadonlyMap<string, { readonly entity: EntityInfo; readonly row: StoredRow }>;
}

/** Rows an effect is carried out for, one after the other. */
export interface Each {
  readonly rows: Rows;
  readonly entity: EntityInfo;
}

const EACH = 'e';
const ATTRIBUTE_LIMIT = 10_000;

/** Expressions about one subject, put together to one statement. */
export class Question {
  readonly binder = new Binder();
  private readonly unit: Unit;
  private readonly subject: Subject;
  private readonly each: Each | null;
  private readonly place: Place;
  private readonly context: SqlContext;

  constructor(unit: Unit, subject: Subject, each: Each | null = null, place: Place = 'operation') {
    this.unit = unit;
    this.subject = subject;
    this.each = each;
    this.place = place;
    this.context = {
      column: this.held(subject.entity, subject.row),
      tenant: TENANT_SETTING,
      variables: this.variables(),
    };
  }

  /** Columns of a row that is known, as parameters. */
  private held(entity: EntityInfo, row: StoredRow): (column: string) => string {
    const seen = new Map<string, string>();
    return (column) => {
      let sql = seen.get(column);
      if (sql === undefined) {
        sql = `${this.binder.add(row.get(column) ?? null)}::${this.unit.model.rows(entity).typeOf(column)}`;
        seen.set(column, sql);
      }
      return sql;
    };
  }

  private variables(): SqlContext['variables'] {
    const { identity } = this.unit;
    const { entity, old, input, records } = this.subject;
    const value = (text: string | null, type: string) => () => `${this.binder.add(text)}::${type}`;
    const known: Record<string, (member: string | null) => string> = {
      user: value(identity.user, 'text'),
      tenant: () => TENANT_SETTING,
      roles: value(arrayParam(identity.roles), 'text[]'),
      attributes: (name) => {
        const attribute = name === null ? undefined : identity.attributes[name];
        return `${this.binder.add(attribute === undefined ? null : String(attribute).slice(0, ATTRIBUTE_LIMIT))}::text`;
      },
      old: (column) => this.held(entity, old)(column!),
      input: (column) => {
        const given = input?.given.columns.get(column!);
        return given
          ? `${this.binder.add(given.value)}::${given.type}`
          : `NULL::${inputType(input?.fields ?? [], column!)}`;
      },
      each: (column) => `${EACH}."${column}"`,
    };
    for (const [name, record] of records)
      known[name] = (column) => this.held(record.entity, record.row)(column!);
    return known;
  }

  typed(text: string, wanted: Type | null): Typed {
    const { entity, input, records } = this.subject;
    const apps = appsOf(this.unit);
    const scope =
      this.place === 'operation' || this.place === 'time'
        ? scopeFor(apps, entity.model, this.place, {
            old: true,
            each: this.each?.entity.model ?? null,
            records: new Map([...records].map(([name, record]) => [name, record.entity.model])),
            ...(input ? { input: input.fields } : {}),
          })
        : scopeFor(apps, entity.model, this.place);
    return typedExpression(text, scope, wanted);
  }

  /** SQL of an expression of any type, or of the type that is wanted. */
  sql(text: string, wanted: Type | null = { kind: 'boolean' }): string {
    return compileExpression(this.typed(text, wanted), this.context);
  }

  /** SQL of each column of a field that gets the value of an expression. */
  assign(target: EntityInfo, fieldName: string, text: string): readonly { column: string; sql: string }[] {
    if (fieldName === 'id') return [{ column: 'id', sql: this.sql(text, null) }];
    const field = modelOf(target, fieldName);
    const type = typeOfField(field, target.model.app);
    const typed = this.typed(text, null);
    const fitting = type === null ? typed : assignment(typed, type);
    if (typeof fitting === 'string') throw new Error(`${target.path}.${fieldName}: ${fitting}`);
    return compileAssignment(fitting, field, target.model.app, this.context);
  }

  /** Answers to everything asked, as text: one row, or one for each row of `each`, in its order. */
  async answer(columns: readonly string[], rule?: string): Promise<readonly (readonly (string | null)[])[]> {
    const shown = columns.length > 0 ? columns.map((column) => `(${column})::text`).join(', ') : 'NULL';
    const { rows } = await this.unit.tx.run({
      ...this.binder.statement(`SELECT ${shown}${this.from(rule)}`),
      elevated: true,
    });
    return rows;
  }

  private from(rule: string | undefined): string {
    const rules = rule === undefined ? [] : [rule];
    if (!this.each) return rules.length > 0 ? ` WHERE ${rules.join(' AND ')}` : '';
    const { rows, entity } = this.each;
    const id = compileExpression(
      {
        kind: 'column',
        type: { kind: 'reference', entities: [entity.path] },
        row: rows.from,
        columns: ['id'],
      },
      this.context,
    );
    rules.unshift(`${EACH}."${rows.column}" = ${id}`);
    if (rows.entityColumn)
      rules.push(`${EACH}."${rows.entityColumn.column}" = ${this.binder.add(rows.entityColumn.value)}::text`);
    if (entity.tenantScoped) rules.push(`${EACH}.tenant_id = ${TENANT_SETTING}`);
    const order = entity.parent ? `${EACH}.position, ${EACH}.id` : `${EACH}.id`;
    return ` FROM ${entity.table} ${EACH} WHERE ${rules.join(' AND ')} ORDER BY ${order}`;
  }
}

const kept = new WeakMap<object, Apps>();

function appsOf(unit: Unit): Apps {
  const { catalogue } = unit.model;
  let apps = kept.get(catalogue);
  if (!apps) {
    apps = new Map(catalogue.apps.map((app) => [app.name, app]));
    kept.set(catalogue, apps);
  }
  return apps;
}

/** The definition of a field, made up for those the system gives every row. */
function modelOf(entity: EntityInfo, name: string): FieldModel {
  const field = fieldOf(entity, name);
  if (field.model) return field.model;
  const base = { name, label: field.label };
  if (field.kind === 'reference') return { ...base, type: 'reference', entity: field.entities[0]! };
  if (field.kind === 'integer') return { ...base, type: 'integer' };
  return { ...base, type: 'text' };
}

/** Database type of the column of an input: what `$input` gives has it, whoever gave the value. */
export function inputType(fields: readonly FieldModel[], column: string): string {
  const field = fields.find((one) => column === one.name || column === `${one.name}_id`);
  // Without digits: rounding is for the column that keeps the value.
  return field ? sqlTypeOf(field).replace(/\(.*/, '') : 'text';
}

/** The rows a path of a definition leads to: `lines`, `crm.activity[account]`, `order.lines`, `$invoice.lines`. */
export function eachOf(unit: Unit, subject: Subject, text: string): Each {
  const apps = appsOf(unit);
  const parsed = parseExpression(text);
  let row: Row = { kind: 'own' };
  let entity: EntityModel = subject.entity.model;
  let steps: readonly Step[] = [];
  if (parsed.kind === 'path') steps = parsed.steps;
  else if (parsed.kind === 'variable') {
    const record = subject.records.get(parsed.name);
    row = { kind: 'variable', name: parsed.name };
    entity = record?.entity.model ?? entity;
    steps = parsed.steps;
  }
  for (;;) {
    const found = rowsAt(apps, row, entity, steps);
    if (found) {
      const { app, name } = found.rows.entity;
      return { rows: found.rows, entity: unit.model.catalogue.entity(`${app}.${name}`) };
    }
    const [step, ...rest] = steps;
    const here = unit.model.catalogue.entity(`${entity.app}.${entity.name}`);
    const field = step && here.fields.get(step.name);
    if (field?.kind !== 'reference' || rest.length === 0) throw new Error(`${text} leads to no rows`);
    const target = unit.model.catalogue.entity(field.entities[0]!);
    row = { kind: 'through', from: row, column: field.columns[0]!, entity: target.model };
    entity = target.model;
    steps = rest;
  }
}

export const subjectOf = (entity: EntityInfo, row: StoredRow, old: StoredRow = row): Subject => ({
  entity,
  row,
  old,
  input: null,
  records: new Map(),
});
