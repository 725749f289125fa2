import { Command } from 'commander';
import { userError } from '#kernel';
import { columns } from '../../status/index.ts';
import type { HubClient } from '../client.ts';
import { connect, type HubOptions, withHub } from '../context.ts';
import { note, print, printJson } from '../output.ts';

interface Answer {
  readonly data: { readonly members: readonly string[]; readonly dataset: readonly (readonly unknown[])[] };
  readonly annotation: Readonly<Record<string, Readonly<Record<string, { readonly shortTitle?: string }>>>>;
  readonly freshness: { readonly completeUpTo: string | null };
  readonly cached: boolean;
  readonly truncated: boolean;
  readonly tables: readonly string[];
  readonly rollups: readonly string[];
}

export const queryCommand = (): Command =>
  withHub(
    new Command('query')
      .description('ask the semantic layer')
      .argument('<query>', 'a query as Cube’s REST API takes it')
      .option('--json', 'print one JSON document, as the REST API answers')
      .option('--no-rollups', 'read the tables themselves, not roll-ups of them')
      .addHelpText(
        'after',
        '\nExample:\n  bac query \'{"measures":["commerce_order.count"],"timeDimensions":[{"dimension":"commerce_order.placed_at","granularity":"month"}]}\'',
      ),
  ).action(async (text: string, options: HubOptions & { json?: boolean; rollups: boolean }) => {
    const query = parse(text);
    const { rollups } = options;
    const hub = connect(options);
    if (options.json) {
      const answer = await toldWhy(hub, hub.post<object>('/cubejs-api/v1/load', { query, rollups }));
      printJson(answer);
      return;
    }
    const compact = { ...query, responseFormat: 'compact' };
    const answer = await toldWhy(hub, hub.post<Answer>('/cubejs-api/v1/load', { query: compact, rollups }));
    const { members, dataset } = answer.data;
    // `cube.time` beside `cube.time.day` says the same once more.
    const shown = members.flatMap((member, index) =>
      members.some((other) => other.startsWith(`${member}.`)) ? [] : [index],
    );
    const titles = Object.assign({}, ...Object.values(answer.annotation)) as Record<
      string,
      { shortTitle?: string }
    >;
    const { measures = {} } = answer.annotation;
    const numbers = shown.flatMap((member, index) => (members[member]! in measures ? [index] : []));
    const rows = dataset.map((row) => shown.map((index) => String(row[index] ?? '')));
    const head = shown.map((index) => titles[members[index]!]?.shortTitle ?? members[index]!);
    print(columns([head, ...rows], numbers).join('\n'));
    const upTo = answer.freshness.completeUpTo ?? 'not known yet';
    const more = answer.truncated ? ' There are more rows: set a limit and an offset.' : '';
    const through = answer.rollups.length > 0 ? ` through ${answer.rollups.join(', ')}` : '';
    note(
      `${dataset.length} rows from ${answer.tables.join(', ')}${through}, complete up to ${upTo}${answer.cached ? ' (cached)' : ''}.${more}`,
    );
  });

const PATIENCE_MS = 1500;

/** Says on standard error what a question waits for, if it has to. */
async function toldWhy<T>(hub: HubClient, answer: Promise<T>): Promise<T> {
  const waiting = setTimeout(() => {
    hub.get<{ models: readonly { state: string }[] }>('/api/v1/semantic').then(
      ({ models }) => {
        const ready = models.some(({ state }) => state === 'ready');
        note(ready ? 'Still asking ...' : 'The model is being compiled, as once after every start ...');
      },
      () => note('Still asking ...'), // who is bound to a tenant is not told of models
    );
  }, PATIENCE_MS);
  try {
    return await answer;
  } finally {
    clearTimeout(waiting);
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // told below
  }
  throw userError(
    'QUERY_INVALID',
    'The query is no JSON object.',
    'Put it in single quotes; see bac query --help.',
  );
}
