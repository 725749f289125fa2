import type { FieldModel } from '../field-model.ts';
import { hint } from '../hint.ts';
import { ADDRESS_PARTS, AMENDED_FROM, type App, columnsOf, type EntityModel, resolvePath } from '../model.ts';
import { ExpressionError, printSteps, type Step } from './tree.ts';
import type { Row, Rows, Typed } from './typed.ts';
import { DATE_TIME, entityPathOf, INTEGER, TEXT, type Type, typeOfField } from './types.ts';

/** What a variable is: a value, a record of an entity, given fields, or the principal's attributes. */
export type Variable =
  | { readonly kind: 'value'; readonly type: Type }
  | { readonly kind: 'row'; readonly entity: EntityModel }
  | { readonly kind: 'fields'; readonly fields: readonly FieldModel[]; readonly app: string }
  | { readonly kind: 'attributes' };

/** What an expression may speak of at its place. */
export interface Scope {
  readonly apps: ReadonlyMap<string, App>;
  readonly entity: EntityModel;
  readonly variables: ReadonlyMap<string, Variable>;
  /** now() and today() may be used. */
  readonly clock: boolean;
  /** own: only the row's columns. rows: aggregates besides. all: paths through references too. */
  readonly reach: 'own' | 'rows' | 'all';
}

type Found =
  | { readonly kind: 'value'; readonly value: Typed }
  | { readonly kind: 'rows'; readonly rows: Rows };

/** Fields every row has besides those of its definition, as [name, column, type]. */
function implicitFields(entity: EntityModel): [string, string, Type][] {
  const self = entityPathOf(entity);
  const found: [string, string, Type][] = [
    ['id', 'id', { kind: 'reference', entities: [self] }],
    ['created_at', 'created_at', DATE_TIME],
    ['updated_at', 'updated_at', DATE_TIME],
    ['created_by', 'created_by', TEXT],
    ['version', 'version', INTEGER],
  ];
  if (entity.numbering) found.push([entity.numbering.field, entity.numbering.field, TEXT]);
  if (entity.states) {
    const options = entity.states.list.map((state) => state.name);
    found.push([entity.states.field, entity.states.field, { kind: 'text', options }]);
  }
  if (entity.submittable) found.push(['amended_from', AMENDED_FROM, { kind: 'reference', entities: [self] }]);
  if (entity.owner) {
    const parent = `${entity.app}.${entity.owner.entity}`;
    found.push([entity.owner.entity, `${entity.owner.entity}_id`, { kind: 'reference', entities: [parent] }]);
    found.push(['position', 'position', INTEGER]);
  }
  return found;
}

/** Names an expression about this entity can begin a path with. */
export const namesOf = (entity: EntityModel): string[] => [
  ...entity.fields.map((field) => field.name),
  ...implicitFields(entity).map(([name]) => name),
];

/** Type and columns of one of an entity's fields, those every row has included; null if there is none. */
export function fieldOf(
  entity: EntityModel,
  name: string,
): { type: Type; columns: readonly string[] } | null {
  const field = entity.fields.find((one) => one.name === name);
  if (field) {
    const type = typeOfField(field, entity.app);
    return type && { type, columns: columnsOf(field) };
  }
  const implicit = implicitFields(entity).find(([known]) => known === name);
  return implicit ? { type: implicit[2], columns: [implicit[1]] } : null;
}

const entityAt = (apps: ReadonlyMap<string, App>, path: string): EntityModel | undefined => {
  const [app, entity] = path.split('.');
  return apps.get(app!)?.entities.find((one) => one.name === entity);
};

/** Looks a path up from a row. Throws ExpressionError with the nearest name. */
export function lookUp(
  apps: ReadonlyMap<string, App>,
  row: Row,
  entity: EntityModel,
  steps: readonly Step[],
): Found {
  const [first, ...rest] = steps;
  if (!first) throw new ExpressionError('is a whole record: name one of its fields');
  const field = first.by === undefined ? fieldOf(entity, first.name) : null;
  if (!field) {
    const rows = rowsAt(apps, row, entity, steps);
    if (!rows) {
      const known = namesOf(entity);
      throw new ExpressionError(
        `unknown field \`${first.name}\` of ${entity.name}${hint(first.name, known)}`,
      );
    }
    return { kind: 'rows', rows: rows.rows };
  }
  const { type, columns } = field;
  const [next] = rest;
  if (!next) return { kind: 'value', value: { kind: 'column', type, row, columns } };
  if (type.kind === 'address') {
    const part = (ADDRESS_PARTS as readonly string[]).indexOf(next.name);
    if (part < 0 || rest.length > 1)
      throw new ExpressionError(
        `unknown part \`${printSteps(rest)}\` of an address${hint(next.name, ADDRESS_PARTS)}`,
      );
    return { kind: 'value', value: { kind: 'column', type: TEXT, row, columns: [columns[part]!] } };
  }
  if (type.kind !== 'reference') {
    const why = type.kind === 'anyReference' ? 'may point to several entities' : `is of type ${type.kind}`;
    throw new ExpressionError(`\`${first.name}\` ${why} and has no field \`${next.name}\``);
  }
  const target = entityAt(apps, type.entities[0]!);
  if (!target)
    throw new ExpressionError(`\`${first.name}\` points to the unknown entity \`${type.entities[0]}\``);
  if (first.name === 'id') return lookUp(apps, row, entity, rest);
  // The id of what a reference points to is in the reference's own column.
  if (next.name === 'id' && rest.length === 1)
    return { kind: 'value', value: { kind: 'column', type, row, columns } };
  return lookUp(apps, { kind: 'through', from: row, column: columns[0]!, entity: target }, target, rest);
}

/** The rows a path begins with (a child table, or an entity that refers here) and how many steps name them. */
export function rowsAt(
  apps: ReadonlyMap<string, App>,
  from: Row,
  entity: EntityModel,
  steps: readonly Step[],
): { rows: Rows; length: number } | null {
  const [first, second] = steps;
  if (!first) return null;
  const field = entity.fields.find((one) => one.name === first.name);
  if (field?.type === 'childTable' && first.by === undefined) {
    const child = entityAt(apps, `${entity.app}.${field.entity}`);
    return child ? { rows: { entity: child, from, column: `${entity.name}_id` }, length: 1 } : null;
  }
  if (field) return null;
  const near = entityAt(apps, `${entity.app}.${first.name}`);
  const far = second && first.by === undefined ? entityAt(apps, `${first.name}.${second.name}`) : undefined;
  const target = near ?? far;
  const step = near ? first : second;
  if (!target || !step) return null;
  return { rows: backReference(target, from, entity, step.by), length: near ? 1 : 2 };
}

function backReference(target: EntityModel, from: Row, entity: EntityModel, by: string | undefined): Rows {
  const here = entityPathOf(entity);
  if (target.owner?.entity === entity.name && target.app === entity.app && by === undefined)
    return { entity: target, from, column: `${entity.name}_id` };
  const pointing = target.fields.filter(
    (field) =>
      (field.type === 'reference' && full(target, field.entity) === here) ||
      (field.type === 'anyReference' && field.entities.some((path) => full(target, path) === here)),
  );
  const names = pointing.map((field) => field.name);
  const path = entityPathOf(target);
  if (by === undefined && pointing.length > 1)
    throw new ExpressionError(
      `\`${path}\` refers to ${entity.name} by ${names.join(' and ')}: write \`${path}[${names[0]}]\``,
    );
  const field = by === undefined ? pointing[0] : pointing.find((one) => one.name === by);
  if (!field)
    throw new ExpressionError(
      by === undefined || names.length === 0
        ? `\`${path}\` does not refer to ${entity.name}`
        : `\`${by}\` of \`${path}\` does not refer to ${entity.name}${hint(by, names)}`,
    );
  const columns = columnsOf(field);
  if (field.type !== 'anyReference') return { entity: target, from, column: columns[0]! };
  return { entity: target, from, column: columns[1]!, entityColumn: { column: columns[0]!, value: here } };
}

function full(entity: EntityModel, path: string): string {
  const target = resolvePath(entity.app, path);
  return `${target.app}.${target.entity}`;
}
