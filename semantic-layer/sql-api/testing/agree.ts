import { type Client, DatabaseError } from 'pg';
import { seeded } from '#tests/random';
import { printed } from '../run/printed.ts';
import { Grammar, type Pair } from './grammar.ts';
import type { TestSqlApi } from './index.ts';

export interface Outcome {
  readonly answered: number;
  readonly refused: number;
  /** Statements that were neither answered like the tables nor refused. */
  readonly wrong: readonly { readonly seed: number; readonly sql: string; readonly what: string }[];
}

/** What a refusal may be: not served, or an error that PostgreSQL raises, too. */
const REFUSALS = /^(0A000|22\d\d\d)$/;

/** Numbers to ten digits: a double and a decimal of the same number count as one. */
const plain = (cell: string | null): string => {
  if (cell === null) return 'null';
  if (/^-?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(cell)) return String(Number(Number(cell).toPrecision(10)));
  return cell === 't' ? 'true' : cell === 'f' ? 'false' : cell.replace(/ 00:00:00$/, '');
};
const sorted = (rows: readonly (readonly (string | null)[])[]): string =>
  rows
    .map((row) => row.map(plain).join(' | '))
    .sort()
    .join('\n');

async function one(
  client: Client,
  server: TestSqlApi,
  { sql, truth }: Pair,
): Promise<'answered' | 'refused' | string> {
  let asked: (string | null)[][];
  try {
    asked = (
      await client.query<(string | null)[]>({
        text: sql,
        rowMode: 'array',
        types: { getTypeParser: () => (text: unknown) => text } as never,
      })
    ).rows;
  } catch (error) {
    if (error instanceof DatabaseError && REFUSALS.test(error.code ?? '')) return 'refused';
    return error instanceof Error ? `${(error as DatabaseError).code}: ${error.message}` : String(error);
  }
  const reader = await server.layer.connection.runAndReadAll(truth);
  const expected = reader.getRows().map((row) => row.map((value) => printed(value, 'numeric')));
  const [left, right] = [sorted(asked), sorted(expected)];
  return left === right ? 'answered' : `answered\n${left}\ninstead of\n${right}\nby ${truth}`;
}

/** Runs `count` statements, each from a seed of its own. */
export async function agree(server: TestSqlApi, first: number, count: number): Promise<Outcome> {
  await using client = await server.client();
  await client.query('SET client_min_messages TO warning');
  let [answered, refused] = [0, 0];
  const wrong: { seed: number; sql: string; what: string }[] = [];
  for (let seed = first; seed < first + count; seed += 1) {
    const made = new Grammar(seeded(seed)).statement();
    const outcome = await one(client, server, made);
    if (outcome === 'answered') answered += 1;
    else if (outcome === 'refused') refused += 1;
    else wrong.push({ seed, sql: made.sql, what: outcome });
  }
  return { answered, refused, wrong };
}
