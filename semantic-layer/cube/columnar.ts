import type { SemanticColumn } from '#kernel';
import type { Outcome } from '../results/index.ts';
import { type Columns, type Transform, transformData } from './native/index.ts';

interface Table {
  readonly columns: readonly SemanticColumn[];
  readonly rows: readonly (readonly unknown[])[];
}

/** The answers of one request as a table; the ranges of a comparison one below the other. Errors: hidden members. */
export function columnarOf(transforms: readonly Transform[], outcomes: readonly Outcome[]): Table {
  const parts = transforms.map((transform, index) => partOf(transform, outcomes[index]!));
  return { columns: parts[0]?.columns ?? [], rows: parts.flatMap(({ rows }) => rows) };
}

function partOf(transform: Transform, { names, rows }: Outcome): Table {
  const columns: Columns = {
    members: names,
    columns: names.map((_, index) => rows.map((row) => row[index])),
  };
  const { members, dataset } = transformData({ ...transform, resType: 'compact' }, columns) as {
    members: string[];
    dataset: unknown[][];
  };
  // `cube.time` beside `cube.time.day` says the same once more.
  const asked = new Set([
    ...(transform.query.dimensions ?? []),
    ...names.map((name) => transform.aliasToMemberNameMap[name]),
  ]);
  const kept = members.flatMap((member, index) =>
    asked.has(member) || member === 'compareDateRange' ? [index] : [],
  );
  return {
    columns: kept.map((index) => columnOf(transform, members[index]!)),
    rows: kept.length === members.length ? dataset : dataset.map((row) => kept.map((index) => row[index])),
  };
}

function columnOf({ annotation, query }: Transform, name: string): SemanticColumn {
  const type = annotation[name]?.type ?? 'string';
  if (query.measures?.includes(name)) return { name, kind: 'measure', type };
  return { name, kind: name.split('.').length === 3 ? 'time' : 'dimension', type };
}
