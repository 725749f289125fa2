import { HubError, type YamlProblem } from '#kernel';

export type Problem = YamlProblem;

export const formatProblem = (problem: Problem): string =>
  `${problem.file}:${problem.line}:${problem.column}: ${problem.path === '' ? '' : `${problem.path}: `}${problem.message}`;

/** APP_INVALID (user): every problem of every file at once, one a line, sorted by place. */
export function invalidApps(problems: readonly Problem[]): HubError {
  const sorted = [...problems].sort(
    (a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column,
  );
  return new HubError('APP_INVALID', sorted.map(formatProblem).join('\n'), {
    disposition: 'user',
    next: `Mend ${sorted.length === 1 ? 'this line' : `these ${sorted.length} places`}; the vocabulary is in docs/apps.md.`,
    details: { problems: sorted },
  });
}

/** Reports a problem at a path inside one entity. */
export type Report = (path: readonly PropertyKey[], message: string, at?: 'key' | 'value') => void;
