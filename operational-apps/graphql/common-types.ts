import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLScalarType,
  GraphQLString,
} from 'graphql';
import { ADDRESS_PARTS } from '../definitions/index.ts';
import { DateTimeType, DateType, DecimalType, IntegerType, JsonType } from './scalars.ts';

const required = <T extends GraphQLScalarType>(type: T): GraphQLNonNull<T> => new GraphQLNonNull(type);

const addressFields = Object.fromEntries(ADDRESS_PARTS.map((part) => [part, { type: GraphQLString }]));
export const AddressType = new GraphQLObjectType({ name: 'Address', fields: addressFields });
export const AddressInput = new GraphQLInputObjectType({ name: 'AddressInput', fields: addressFields });

export const AnyReferenceInput = new GraphQLInputObjectType({
  name: 'AnyReferenceInput',
  description: 'A row of one of several entities.',
  fields: {
    entity: { type: required(GraphQLString), description: '`app.entity`.' },
    id: { type: required(GraphQLID) },
  },
});

export const PageInfoType = new GraphQLObjectType({
  name: 'PageInfo',
  fields: {
    hasNextPage: { type: required(GraphQLBoolean) },
    hasPreviousPage: { type: required(GraphQLBoolean) },
    startCursor: { type: GraphQLString },
    endCursor: { type: GraphQLString },
  },
});

export const AggregateRowType = new GraphQLObjectType({
  name: 'AggregateRow',
  fields: {
    by: { type: required(JsonType), description: 'Value of each field grouped by.' },
    values: { type: required(JsonType), description: 'Each measure asked for.' },
  },
});

export const ChangeKindType = new GraphQLEnumType({
  name: 'ChangeKind',
  values: {
    CREATED: { value: 'created' },
    UPDATED: { value: 'updated' },
    GONE: {
      value: 'gone',
      description: 'Deleted, or no longer among what the subscriber may see or asked for.',
    },
  },
});

export const TimelineEntryType = new GraphQLObjectType({
  name: 'TimelineEntry',
  fields: {
    id: { type: required(GraphQLID) },
    at: { type: required(DateTimeType) },
    actor: { type: required(GraphQLString) },
    kind: { type: required(GraphQLString) },
    name: { type: GraphQLString, description: 'Of the transition, action or file.' },
    text: { type: GraphQLString },
    mentions: { type: new GraphQLList(required(GraphQLString)) },
    changes: { type: JsonType, description: 'List of {field, old, new}; what may not be read is left out.' },
  },
});

export const AttachmentType = new GraphQLObjectType({
  name: 'Attachment',
  fields: {
    id: { type: required(GraphQLID) },
    name: { type: required(GraphQLString) },
    type: { type: required(GraphQLString) },
    bytes: { type: required(GraphQLInt) },
    sha256: { type: required(GraphQLString) },
    addedBy: { type: required(GraphQLString) },
    addedAt: { type: required(DateTimeType) },
  },
});

/** What can be asked of a value of one type, in filters. */
function condition(
  name: string,
  type: GraphQLScalarType,
  kinds: readonly ('order' | 'text' | 'list')[],
): GraphQLInputObjectType {
  const list = new GraphQLList(required(type));
  return new GraphQLInputObjectType({
    name,
    fields: {
      isNull: { type: GraphQLBoolean },
      ...(kinds.includes('list')
        ? {
            all: { type: list, description: 'Has all of these.' },
            any: { type: list, description: 'Has one of these.' },
          }
        : { eq: { type }, ne: { type }, in: { type: list } }),
      ...(kinds.includes('order') ? { lt: { type }, lte: { type }, gt: { type }, gte: { type } } : {}),
      ...(kinds.includes('text')
        ? {
            contains: { type: GraphQLString, description: 'Case-insensitive.' },
            startsWith: { type: GraphQLString },
          }
        : {}),
    },
  });
}

export const CONDITIONS = {
  text: condition('TextCondition', GraphQLString, ['order', 'text']),
  choice: condition('ChoiceCondition', GraphQLString, []),
  choices: condition('ChoicesCondition', GraphQLString, ['list']),
  integer: condition('IntegerCondition', IntegerType, ['order']),
  decimal: condition('DecimalCondition', DecimalType, ['order']),
  boolean: condition('BooleanCondition', GraphQLBoolean, []),
  date: condition('DateCondition', DateType, ['order']),
  dateTime: condition('DateTimeCondition', DateTimeType, ['order']),
  id: condition('IdCondition', GraphQLID, ['order']),
} as const;
