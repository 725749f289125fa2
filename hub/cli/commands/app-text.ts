import type { ChangePlan, TableEffect } from '#apps';
import { columns } from '../../status/index.ts';

/** A plan for people: what it does in the database, the stream and the warehouse, who may what, what is lost. */
export function planText(plan: ChangePlan): string {
  const heads = plan.apps.map(({ app, label, from, to, same }) => {
    const move = same ? `version ${from}, unchanged` : from === null ? 'new' : `version ${from} -> ${to}`;
    return `${app} (${label}): ${move}`;
  });
  return [
    ...heads,
    ...section('Database', columns(stepRows(plan))),
    ...section('Stream', effects(plan.stream)),
    ...section('Warehouse', effects(plan.warehouse)),
    ...section(
      'Rights',
      plan.policies.map((line) => `  ${line}`),
    ),
    ...section(
      'Lost, only with --confirm-destructive',
      plan.losses.flatMap(({ step, loses, rollback }) => [`  ${step}`, `    ${loses} ${rollback}`]),
    ),
    ...(plan.steps.length === 0 ? ['The database is so already.'] : []),
  ].join('\n');
}

/** Descriptions of tables and columns are many and harmless: one line for all of them. */
function stepRows({ steps }: ChangePlan): string[][] {
  const described = steps.filter(({ sql }) => sql.startsWith('COMMENT '));
  const rows = steps
    .filter((step) => !described.includes(step))
    .map(({ kind, description }) => [kind, description]);
  return described.length === 0
    ? rows
    : [...rows, ['additive', `descriptions of tables and columns: ${described.length}`]];
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ['', title, ...lines];

const effects = (all: readonly TableEffect[]): string[] =>
  columns(
    all.map(({ table, text, onlyConfirmed }) => [
      table,
      onlyConfirmed ? `${text} (only if confirmed)` : text,
    ]),
  );
