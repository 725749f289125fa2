import type { ReactNode } from 'react';
import { Icon } from './icon.tsx';

export interface ProblemNoteProps {
  readonly problem: { readonly code?: string; readonly message: string; readonly next?: string };
  readonly action?: ReactNode;
}

/** What happened, and the next step. */
export const ProblemNote = ({ problem, action }: ProblemNoteProps) => (
  <div className="note note--bad" role="alert">
    <Icon name="alert" />
    <div className="note__text">
      <p>
        {problem.message} {problem.code && <code className="note__code">{problem.code}</code>}
      </p>
      {problem.next && <p className="note__next">{problem.next}</p>}
    </div>
    {action}
  </div>
);
