import { type Catalogue, Catalogues } from '../catalogue/catalogue.ts';
import { describeStatement, executeMessages, parseMessage, readAnswer, sync } from '../catalogue/protocol.ts';
import type { Node, Statement } from '../compile/ast.ts';
import { modelOf } from '../compile/relation.ts';
import { SqlError } from '../errors.ts';
import { type Answer, describe, type RunContext, run } from '../run/statement.ts';
import { fieldOf, oidOf, typeOfOid } from '../types.ts';
import { formatOf } from '../wire/backend.ts';
import { decode, encode } from '../wire/values.ts';
import { type Cells, listed, type Plan } from './plan.ts';

export { Catalogues };

/** A SELECT over cubes and views. */
export function semanticPlan(
  node: Node,
  oids: readonly number[],
  context: RunContext,
  note: (answer: Answer) => readonly string[],
): Plan {
  const declared = oids.map((oid) => typeOfOid(oid));
  for (const [at, oid] of oids.entries())
    if (oid !== 0 && oid !== 705 && declared[at] === undefined)
      throw new SqlError('0A000', `parameters of type ${oid} are not served`, {
        hint: 'Send it as text, numbers or times.',
      });
  let known: Promise<{
    types: ReturnType<typeof typeOfOid>[];
    params: number[];
    fields: ReturnType<typeof fieldOf>[];
  }> | null = null;
  const described = () => {
    known ??= describe(node, declared, context).then((compiled) => {
      const types = Array.from(
        { length: compiled.params.types.length },
        (_, at) => compiled.params.types[at] ?? 'text',
      );
      return {
        types,
        params: types.map((type, at) => (oids[at] !== undefined && oids[at] !== 0 ? oids[at] : oidOf(type))),
        fields: compiled.columns.map((column) => fieldOf(column.name, column.type)),
      };
    });
    return known;
  };
  return {
    describe: described,
    open: async ({ params, paramFormats, resultFormats }, signal) => {
      const { types, fields, params: sent } = await described();
      if (params.length !== types.length)
        throw new SqlError(
          '08P01',
          `bind message supplies ${params.length} parameters, but the statement requires ${types.length}`,
        );
      const values = params.map((bytes, at) =>
        decode(bytes, types[at]!, formatOf(paramFormats, at), SIZES[sent[at]!]),
      );
      const answer = await run(node, types, values, context, signal);
      return {
        fields,
        rows: encoded(answer, resultFormats),
        tag: (count) => `SELECT ${count}`,
        notices: note(answer),
      };
    },
  };
}

/** Binary sizes of types that are held in a wider one. */
const SIZES: Readonly<Record<number, number>> = { 21: 2, 700: 4 };

async function* encoded(answer: Answer, formats: readonly number[]): AsyncGenerator<Cells> {
  for await (const row of answer.rows)
    yield row.map((value, at) => encode(value, answer.columns[at]!.type, formatOf(formats, at)));
}

const CATALOGUE_MS = 20_000;

/** A SELECT over PostgreSQL's own catalogue, answered by an embedded PostgreSQL that mirrors the model. */
export function cataloguePlan(
  statement: Statement,
  oids: readonly number[],
  context: RunContext,
  catalogues: Catalogues,
): Plan {
  const catalogue = async (): Promise<Catalogue> =>
    catalogues.of(modelOf(await context.layer.meta(context.principal)));
  const never = new AbortController().signal;
  return {
    describe: async () => {
      const messages = [parseMessage(statement.sql, oids), describeStatement(), sync()];
      const { params, fields } = readAnswer(
        await (await catalogue()).exchange(messages, never, CATALOGUE_MS),
      );
      return { params, fields };
    },
    open: async ({ params, paramFormats, resultFormats }, signal) => {
      const messages = [
        parseMessage(statement.sql, oids),
        ...executeMessages(params, paramFormats, resultFormats),
        sync(),
      ];
      const answer = readAnswer(await (await catalogue()).exchange(messages, signal, CATALOGUE_MS));
      return {
        fields: answer.fields,
        rows: listed(answer.rows),
        tag: (count) => `SELECT ${count}`,
        notices: [],
      };
    },
  };
}
