import { type Column, chIdent, type EntityDescription, type EntityField } from '#kernel';
import { aggregatesOf, kindOf } from './kinds.ts';
import { humanize, memberName, uniqueNames } from './names.ts';
import type { Member } from './types.ts';

export interface TableMembers {
  readonly dimensions: readonly Member[];
  readonly measures: readonly Member[];
}

export interface MemberInput {
  readonly columns: readonly Column[];
  readonly masked: ReadonlySet<string>;
  /** Columns that together tell rows apart; empty if the profile does not see all of them. */
  readonly key: readonly string[];
  /** Columns of primary and foreign keys: nothing is summed up over them. */
  readonly keys: ReadonlySet<string>;
  readonly entity: EntityDescription | undefined;
  readonly label: { readonly one: string; readonly many: string };
}

/** A dimension per visible column; the count; sums and averages of the numbers that have any. */
export function tableMembers(input: MemberInput): TableMembers {
  const name = uniqueNames(['count']);
  const dimensions = input.columns.map((column) => dimension(column, name(memberName(column.name)), input));
  const described = new Map(input.columns.map((column, index) => [column.name, dimensions[index]!.name]));
  const count: Member = {
    name: 'count',
    type: 'count',
    title: input.label.many,
    description: `Number of ${input.label.many.toLowerCase()}.`,
    drill_members: drillMembers(input, described),
    meta: { unit: input.label.many.toLowerCase() },
  };
  const totals = input.columns.flatMap((column) => aggregates(column, name, input));
  return { dimensions, measures: [count, ...totals] };
}

const fieldOf = (input: MemberInput, column: Column): EntityField | undefined =>
  input.entity?.fields.find((field) => field.column === column.name);

const labelOf = (input: MemberInput, column: Column): string =>
  fieldOf(input, column)?.label ?? humanize(column.name);

function dimension(column: Column, name: string, input: MemberInput): Member {
  const field = fieldOf(input, column);
  const masked = input.masked.has(column.name);
  const kind = masked ? null : kindOf(column);
  const sql = `{CUBE}.${chIdent(column.name)}`;
  const description = field?.description ?? column.comment;
  return {
    name,
    type: kind?.type ?? 'string',
    sql: kind ? kind.value(sql) : `toString(${sql})`,
    title: labelOf(input, column),
    description,
    ...(input.key.includes(column.name) ? { primary_key: true, public: true } : {}),
    ...(kind?.type === 'number' && formatOf(field) ? { format: formatOf(field) } : {}),
    meta: meta(column, field, input, masked),
  };
}

const formatOf = (field: EntityField | undefined): string | undefined =>
  field?.type === 'money' || field?.format === 'currency' ? 'currency' : undefined;

function meta(
  column: Column,
  field: EntityField | undefined,
  input: MemberInput,
  masked: boolean,
): Record<string, unknown> | undefined {
  const states = input.entity?.states;
  const said = {
    ...(column.type.kind === 'date' ? { granularity: 'day' } : {}),
    ...(masked ? { masked: true } : {}),
    ...(field?.options ? { options: field.options } : {}),
    ...(states?.column === column.name ? { states: states.names } : {}),
    ...unit(field, input),
    ...(field?.description || column.comment ? { ai_context: field?.description ?? column.comment } : {}),
  };
  return Object.keys(said).length === 0 ? undefined : said;
}

/** Amounts are in the currency of their row: `unit_dimension` says where it stands. */
function unit(field: EntityField | undefined, input: MemberInput): Record<string, unknown> {
  if (field?.unit === undefined) return {};
  const column = input.columns.find(({ name }) => name === field.unit);
  return column ? { unit_dimension: memberName(column.name) } : { unit: field.unit };
}

function aggregates(column: Column, name: (wanted: string) => string, input: MemberInput): Member[] {
  if (input.masked.has(column.name)) return [];
  const field = fieldOf(input, column);
  const kind = kindOf(column);
  const { sum, avg } = aggregatesOf(column, kind, input.keys, field);
  const label = labelOf(input, column);
  const member = (type: 'sum' | 'avg', title: string, description: string): Member => ({
    name: name(`${memberName(column.name)}_${type}`),
    type,
    sql: `{CUBE}.${chIdent(column.name)}`,
    title,
    description: field?.description ? `${description} ${field.description}` : description,
    ...(formatOf(field) ? { format: formatOf(field) } : {}),
    ...(field?.unit === undefined ? {} : { meta: unit(field, input) }),
  });
  const lower = label.charAt(0).toLowerCase() + label.slice(1);
  return [
    ...(sum ? [member('sum', `${label}, total`, `Sum of ${lower}.`)] : []),
    ...(avg ? [member('avg', `${label}, average`, `Average of ${lower}.`)] : []),
  ];
}

/** What one looks at behind a number: key, title, state, the first times and amounts; at most eight. */
function drillMembers(input: MemberInput, names: ReadonlyMap<string, string>): string[] {
  const wanted = [
    ...input.key,
    input.entity?.titleField,
    input.entity?.states?.column,
    ...input.columns.filter((column) => kindOf(column).type === 'time').map((column) => column.name),
    ...(input.entity?.fields ?? []).filter(({ type }) => type === 'money').map((field) => field.column),
  ];
  const found = wanted.flatMap((column) => (column === undefined ? [] : (names.get(column) ?? [])));
  return [...new Set(found)].slice(0, 8);
}
