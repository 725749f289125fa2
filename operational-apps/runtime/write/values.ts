import { ADDRESS_PARTS } from '../../definitions/index.ts';
import type { Catalogue, EntityInfo, FieldInfo } from '../model/catalogue.ts';
import { toId, toParam, toText, Unfit } from '../model/convert.ts';
import { problem } from '../model/problem.ts';
import type { Json, Rights, Values } from '../types.ts';
import type { Given, GivenChild, GivenColumn, GivenReference } from './given.ts';
import { checkSettings } from './settings.ts';

/** Most rows of a child table in one record. */
const MOST_CHILDREN = 5000;

export interface ValueRules {
  readonly catalogue: Catalogue;
  readonly rights: (entity: EntityInfo) => Rights;
}

type Mode = 'create' | 'update';

/**
 * Errors: FIELD_UNKNOWN, FIELD_DENIED, FIELD_IMMUTABLE, VALUE_INVALID, VALUE_REQUIRED, LIMIT_EXCEEDED,
 * each with its path.
 */
export function checkValues(
  rules: ValueRules,
  entity: EntityInfo,
  values: Values,
  mode: Mode,
  path = '',
): Given {
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw problem('VALUE_INVALID', 'Values are an object of fields.', path === '' ? undefined : path);
  const inParent = path !== '';
  const columns = new Map<string, GivenColumn>();
  const children = new Map<string, readonly GivenChild[]>();
  const references: GivenReference[] = [];
  const rights = rules.rights(entity).fields;
  const at = (name: string): string => (inParent ? `${path}.${name}` : name);
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const field = entity.fields.get(name);
    if (!field)
      throw problem('FIELD_UNKNOWN', `${entity.path} has no field \`${name.slice(0, 100)}\`.`, at(name));
    if (inParent && (isPlace(field, entity) || name === 'version')) continue;
    assertWritable(field, entity, rights[name], mode, at(name));
    if (field.kind === 'childTable')
      children.set(name, childRows(rules, field, value, mode, at(name), references));
    else if (value === null && !field.nullable)
      throw problem('VALUE_REQUIRED', `${field.label} needs a value.`, at(name));
    else put(columns, references, field, value, at(name));
  }
  if (mode === 'create')
    for (const field of entity.fields.values())
      if (isMissing(field, columns) && !(inParent && isPlace(field, entity)))
        throw problem('VALUE_REQUIRED', `${field.label} needs a value.`, at(field.name));
  return { columns, children, references };
}

/** Where a row of a child table stands: its parent and its position. */
const isPlace = (field: FieldInfo, entity: EntityInfo): boolean =>
  entity.parent !== undefined &&
  field.model === undefined &&
  (field.name === entity.parent.field || field.name === 'position');

const isMissing = (field: FieldInfo, columns: ReadonlyMap<string, GivenColumn>): boolean =>
  !field.nullable &&
  !field.fixed &&
  field.kind !== 'childTable' &&
  !(field.model === undefined && field.name === 'position') &&
  !columns.has(field.columns[0]!) &&
  !(field.model !== undefined && 'default' in field.model && field.model.default !== undefined);

function assertWritable(
  field: FieldInfo,
  entity: EntityInfo,
  right: Rights['fields'][string] | undefined,
  mode: Mode,
  path: string,
): void {
  if (field.fixed)
    throw problem('FIELD_IMMUTABLE', `${entity.path}.${field.name} is kept by the system.`, path);
  if (right !== 'write')
    throw problem('FIELD_DENIED', `${entity.path}.${field.name} may not be written.`, path);
  const immutable = field.model !== undefined && 'immutable' in field.model && field.model.immutable === true;
  const parent = field.model === undefined && field.kind === 'reference';
  if (mode === 'update' && (immutable || parent))
    throw problem('FIELD_IMMUTABLE', `${field.label} is set once, when the record is made.`, path);
}

function put(
  columns: Map<string, GivenColumn>,
  references: GivenReference[],
  field: FieldInfo,
  value: Json,
  path: string,
): void {
  try {
    if (field.kind === 'address') putAddress(columns, field, value);
    else if (field.kind === 'anyReference') putAnyReference(columns, references, field, value, path);
    else {
      const param = toParam(field, value);
      if (param !== null) checkSettings(field, value, String(param));
      if (field.kind === 'reference' && param !== null)
        references.push({ entity: field.entities[0]!, id: String(param), path });
      columns.set(field.columns[0]!, { value: param, type: field.sqlType });
    }
  } catch (error) {
    if (error instanceof Unfit)
      throw problem('VALUE_INVALID', `${field.label} must be ${error.message}.`, path);
    throw error;
  }
}

function putAddress(columns: Map<string, GivenColumn>, field: FieldInfo, value: Json): void {
  const wanted = `an object of ${ADDRESS_PARTS.join(', ')}`;
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) throw new Unfit(wanted);
  const parts = (value ?? {}) as Readonly<Record<string, Json>>;
  if (Object.keys(parts).some((part) => !(ADDRESS_PARTS as readonly string[]).includes(part)))
    throw new Unfit(wanted);
  for (const [index, part] of ADDRESS_PARTS.entries()) {
    const text = parts[part] ?? null;
    if (text === null && !field.nullable && part !== 'region') throw new Unfit(`given with its ${part}`);
    columns.set(field.columns[index]!, { value: text === null ? null : toText(text), type: 'text' });
  }
}

function putAnyReference(
  columns: Map<string, GivenColumn>,
  references: GivenReference[],
  field: FieldInfo,
  value: Json,
  path: string,
): void {
  const [type, key] = field.columns as [string, string];
  if (value === null) {
    columns.set(type, { value: null, type: 'text' });
    columns.set(key, { value: null, type: 'bigint' });
    return;
  }
  const { entity, id } = (typeof value === 'object' && !Array.isArray(value) ? value : {}) as Record<
    string,
    Json
  >;
  if (typeof entity !== 'string' || !field.entities.includes(entity))
    throw new Unfit(`an object {entity, id} with one of ${field.entities.join(', ')}`);
  const found = toId(id ?? null);
  columns.set(type, { value: entity, type: 'text' });
  columns.set(key, { value: found, type: 'bigint' });
  references.push({ entity, id: found, path });
}

function childRows(
  rules: ValueRules,
  field: FieldInfo,
  value: Json,
  mode: Mode,
  path: string,
  references: GivenReference[],
): GivenChild[] {
  if (!Array.isArray(value))
    throw problem('VALUE_INVALID', `${field.label} must be a list of objects.`, path);
  if (value.length > MOST_CHILDREN)
    throw problem('LIMIT_EXCEEDED', `${field.label} has more than ${MOST_CHILDREN} rows.`, path);
  const child = rules.catalogue.entity(field.entities[0]!);
  const seen = new Set<string>();
  return (value as Json[]).map((row, index) => {
    const at = `${path}.${index}`;
    if (typeof row !== 'object' || row === null || Array.isArray(row))
      throw problem('VALUE_INVALID', `${field.label} must be a list of objects.`, at);
    const { id = null, ...rest } = row as Record<string, Json>;
    const key = id === null ? undefined : rowId(id, mode, seen, `${at}.id`);
    const given = checkValues(rules, child, rest, key === undefined ? 'create' : 'update', at);
    references.push(...given.references);
    return { id: key, given, path: at };
  });
}

function rowId(id: Json, mode: Mode, seen: Set<string>, path: string): string {
  if (mode === 'create') throw problem('VALUE_INVALID', 'New rows have no id yet.', path);
  try {
    const key = toId(id);
    if (seen.has(key)) throw problem('VALUE_INVALID', 'The same row is given twice.', path);
    seen.add(key);
    return key;
  } catch (error) {
    if (error instanceof Unfit) throw problem('VALUE_INVALID', 'The id of a row is needed here.', path);
    throw error;
  }
}
