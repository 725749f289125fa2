import { GraphQLError, GraphQLScalarType, Kind, type ValueNode, valueFromASTUntyped } from 'graphql';

const scalar = (
  name: string,
  description: string,
  accepts: (value: unknown) => boolean,
): GraphQLScalarType => {
  const check = (value: unknown): unknown => {
    if (accepts(value)) return value;
    throw new GraphQLError(`${JSON.stringify(value)?.slice(0, 60)} is not ${description.split(':')[0]}`, {
      extensions: { code: 'VALUE_INVALID' },
    });
  };
  const literal = (node: ValueNode): unknown =>
    check(node.kind === Kind.INT || node.kind === Kind.FLOAT ? node.value : valueFromASTUntyped(node));
  return new GraphQLScalarType({
    name,
    description: description.charAt(0).toUpperCase() + description.slice(1),
    serialize: (value) => value,
    parseValue: check,
    parseLiteral: literal,
  });
};

const matches =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    (typeof value === 'string' || typeof value === 'number') &&
    String(value).length <= 64 &&
    pattern.test(String(value));

/** Digits are kept: beyond 2^53 an integer comes and goes as text. */
export const IntegerType = scalar(
  'Integer',
  'a whole number: a number, or its digits as text beyond 2^53',
  (value) => matches(/^-?\d{1,19}$/)(value) && (typeof value !== 'number' || Number.isSafeInteger(value)),
);

export const DecimalType = scalar(
  'Decimal',
  'a decimal number: exact digits as text',
  matches(/^-?\d{1,40}(\.\d{1,20})?$/),
);

export const DateType = scalar('Date', 'a date: YYYY-MM-DD', matches(/^\d{4}-\d{2}-\d{2}$/));

export const DateTimeType = scalar(
  'DateTime',
  'an instant: ISO 8601 with a zone, answered in UTC',
  matches(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/),
);

/** Any JSON; its size is bounded with the request. */
export const JsonType = new GraphQLScalarType({
  name: 'JSON',
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
});
