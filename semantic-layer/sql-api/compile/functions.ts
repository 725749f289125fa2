import { refused, SqlError } from '../errors.ts';
import type { SqlType } from '../types.ts';
import { implicit, isInteger, isNumber, settle, textOf } from './coerce.ts';
import type { Expr } from './expr.ts';
import { binary } from './operators.ts';
import type { Parameters } from './scope.ts';

/** A function of plain values; the arguments come compiled. Undefined: no such arguments. */
type Scalar = (args: readonly Expr[], params: Parameters) => Expr | undefined;

const fixed =
  (engine: string, wanted: readonly SqlType[], type: SqlType, least = wanted.length): Scalar =>
  (args, params) => {
    if (args.length < least || args.length > wanted.length) return undefined;
    const given = args.map((arg, at) => implicit(arg, wanted[at]!, params));
    if (given.some((arg) => arg === undefined)) return undefined;
    return { sql: `${engine}(${given.map((arg) => arg!.sql).join(', ')})`, type };
  };

/** Keeps numeric and double; PostgreSQL computes integers as double. */
const rounding =
  (engine: string): Scalar =>
  ([arg, ...rest], params) => {
    if (!arg || rest.length > 0) return undefined;
    const value = settle(arg, 'float8', params);
    if (!isNumber(value.type)) return undefined;
    return { sql: `${engine}(${value.sql})`, type: value.type === 'numeric' ? 'numeric' : 'float8' };
  };

const double =
  (engine: string): Scalar =>
  (args, params) => {
    const value = args[0] && implicit(args[0], 'float8', params);
    if (args.length !== 1 || !value) return undefined;
    return { sql: `${engine}(${value.sql})`, type: args[0]!.type === 'numeric' ? 'numeric' : 'float8' };
  };

const round: Scalar = ([arg, digits], params) => {
  if (!arg) return undefined;
  const value = settle(arg, 'float8', params);
  if (!isNumber(value.type)) return undefined;
  if (!digits)
    return value.type === 'numeric'
      ? { sql: `round(${value.sql})`, type: 'numeric' }
      : { sql: `round_even(CAST(${value.sql} AS DOUBLE), 0)`, type: 'float8' };
  const places = implicit(digits, 'int4', params);
  if (!places || value.type === 'float8') return undefined;
  if (places.literal === undefined)
    throw refused('round is served with a constant number of digits.', 'round(..., 2)');
  return { sql: `round(${value.sql}, ${places.literal})`, type: 'numeric' };
};

const substring: Scalar = (args, params) => {
  const [text, from, length] = args;
  if (!text || !from || args.length > 3) return undefined;
  const [value, start] = [settle(text, 'text', params), implicit(from, 'int4', params)];
  const count = length && implicit(length, 'int4', params);
  if (value.type !== 'text' || !start || (length && !count)) return undefined;
  if (!(Number(start.literal) >= 1) || (count && !(Number(count.literal) >= 0)))
    throw refused('substring is served from a constant place of at least 1.', 'substring(name FROM 1 FOR 3)');
  return {
    sql: `substring(${[value, start, ...(count ? [count] : [])].map((one) => one.sql).join(', ')})`,
    type: 'text',
  };
};

const joined =
  (engine: 'concat' | 'concat_ws'): Scalar =>
  (args, params) => ({
    sql: `${engine}(${args.map((arg) => textOf(settle(arg, 'text', params))).join(', ')})`,
    type: 'text',
  });

const absolute: Scalar = ([arg, ...rest], params) => {
  const value = arg && settle(arg, 'float8', params);
  return value && rest.length === 0 && isNumber(value.type)
    ? { sql: `abs(${value.sql})`, type: value.type }
    : undefined;
};

const trim =
  (engine: string): Scalar =>
  (args, params) => {
    const given = args.map((arg) => settle(arg, 'text', params));
    if (given.length < 1 || given.length > 2 || given.some((one) => one.type !== 'text')) return undefined;
    return { sql: `${engine}(${[given[0]!.sql, given[1]?.sql ?? "' '"].join(', ')})`, type: 'text' };
  };

const splitPart: Scalar = (args, params) => {
  const made = fixed('split_part', ['text', 'text', 'int4'], 'text')(args, params);
  if (made && !(Number(args[2]!.literal) >= 1))
    throw refused('split_part is served with a constant place of at least 1.', "split_part(name, '-', 1)");
  return made;
};

const modulo: Scalar = (args, params) =>
  args.length === 2 ? binary('%', args[0]!, args[1]!, params) : undefined;

const power: Scalar = (args, params) =>
  args.length === 2 ? binary('^', args[0]!, args[1]!, params) : undefined;

const sign: Scalar = ([arg], params) => {
  const value = arg && settle(arg, 'float8', params);
  if (!value || !isNumber(value.type)) return undefined;
  const type = isInteger(value.type) ? 'float8' : value.type;
  return { sql: `CAST(sign(${value.sql}) AS ${type === 'float8' ? 'DOUBLE' : 'DECIMAL(38, 0)'})`, type };
};

const SCALARS: Readonly<Record<string, Scalar>> = {
  lower: fixed('lower', ['text'], 'text'),
  upper: fixed('upper', ['text'], 'text'),
  length: fixed('length', ['text'], 'int4'),
  char_length: fixed('length', ['text'], 'int4'),
  character_length: fixed('length', ['text'], 'int4'),
  btrim: trim('trim'),
  ltrim: trim('ltrim'),
  rtrim: trim('rtrim'),
  replace: fixed('replace', ['text', 'text', 'text'], 'text'),
  left: fixed('left', ['text', 'int4'], 'text'),
  right: fixed('right', ['text', 'int4'], 'text'),
  substr: substring,
  substring,
  strpos: fixed('strpos', ['text', 'text'], 'int4'),
  position: fixed('strpos', ['text', 'text'], 'int4'),
  starts_with: fixed('starts_with', ['text', 'text'], 'bool'),
  split_part: splitPart,
  reverse: fixed('reverse', ['text'], 'text'),
  md5: fixed('md5', ['text'], 'text'),
  concat: joined('concat'),
  concat_ws: joined('concat_ws'),
  abs: absolute,
  ceil: rounding('ceil'),
  ceiling: rounding('ceil'),
  floor: rounding('floor'),
  trunc: rounding('trunc'),
  round,
  sign,
  sqrt: double('sqrt'),
  exp: double('exp'),
  ln: double('ln'),
  log: double('log10'),
  log10: double('log10'),
  mod: modulo,
  power,
  pow: power,
};

export const isScalar = (name: string): boolean => Object.hasOwn(SCALARS, name);

/** Errors: 42883 for arguments the function does not take. */
export function scalar(name: string, args: readonly Expr[], params: Parameters): Expr {
  const made = SCALARS[name]!(args, params);
  if (!made)
    throw new SqlError(
      '42883',
      `function ${name}(${args.map((arg) => arg.type).join(', ')}) does not exist`,
      {
        hint: 'No function matches the given name and argument types; add a cast.',
      },
    );
  return made;
}
