import {
  GraphQLBoolean,
  GraphQLID,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  GraphQLList,
  GraphQLNonNull,
  type GraphQLOutputType,
  GraphQLString,
} from 'graphql';
import type { FieldModel } from '../definitions/index.ts';
import { AddressInput, AddressType, AnyReferenceInput, CONDITIONS } from './common-types.ts';
import { DateTimeType, DateType, DecimalType, IntegerType, JsonType } from './scalars.ts';

const texts = new GraphQLList(new GraphQLNonNull(GraphQLString));

type Plain = Exclude<FieldModel['type'], 'reference' | 'anyReference' | 'childTable'>;

interface Forms {
  readonly output: GraphQLOutputType;
  readonly input: GraphQLInputType;
  /** null: cannot be filtered by. */
  readonly condition: GraphQLInputObjectType | null;
}

const both = (
  type: GraphQLOutputType & GraphQLInputType,
  condition: GraphQLInputObjectType | null,
): Forms => ({
  output: type,
  input: type,
  condition,
});

/** How a field's value looks in answers, inputs and filters. References and child tables are made elsewhere. */
export const PLAIN: Readonly<Record<Plain, Forms>> = {
  text: both(GraphQLString, CONDITIONS.text),
  email: both(GraphQLString, CONDITIONS.text),
  phone: both(GraphQLString, CONDITIONS.text),
  url: both(GraphQLString, CONDITIONS.text),
  richText: both(GraphQLString, CONDITIONS.text),
  integer: both(IntegerType, CONDITIONS.integer),
  decimal: both(DecimalType, CONDITIONS.decimal),
  money: both(DecimalType, CONDITIONS.decimal),
  boolean: both(GraphQLBoolean, CONDITIONS.boolean),
  date: both(DateType, CONDITIONS.date),
  dateTime: both(DateTimeType, CONDITIONS.dateTime),
  select: both(GraphQLString, CONDITIONS.choice),
  multiSelect: both(texts, CONDITIONS.choices),
  address: { output: AddressType, input: AddressInput, condition: null },
  json: both(JsonType, null),
  file: both(JsonType, null),
};

export const isPlain = (field: FieldModel): field is FieldModel & { type: Plain } => field.type in PLAIN;

/** Type a client gives for a field; null for child tables, whose rows have an input of their own. */
export function inputTypeOf(field: FieldModel): GraphQLInputType | null {
  if (isPlain(field)) return PLAIN[field.type].input;
  if (field.type === 'reference') return GraphQLID;
  return field.type === 'anyReference' ? AnyReferenceInput : null;
}

/** Options of a select field are part of its help: their values need not be GraphQL names. */
export function helpOf(field: FieldModel): string {
  const options =
    field.type === 'select' || field.type === 'multiSelect'
      ? ` One of: ${Object.entries(field.options)
          .map(([value, label]) => (value === label ? value : `${value} (${label})`))
          .join(', ')}.`
      : '';
  return `${field.description ?? field.label}${options}`;
}
