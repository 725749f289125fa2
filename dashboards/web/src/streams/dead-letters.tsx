import { useState } from 'react';
import { api, asApiError } from '../api/client.ts';
import type { DeadLetter, DeadLetterPage } from '../api/types.ts';
import { dateTime } from '../format.ts';
import { useToast } from '../shell/toasts.tsx';
import { ProblemNote } from '../ui/problem-note.tsx';
import { useRequest } from '../ui/use-request.ts';
import type { TableRow } from './rows.ts';

type Verb = 'replay' | 'discard';

/** The rows of one table that could not be stored, each with its reason. */
export function DeadLetters({ row }: { row: TableRow }) {
  const say = useToast();
  const [busy, setBusy] = useState(false);
  const [sure, setSure] = useState(false);
  const place = { source: row.source, schema: row.schema, table: row.table };
  const query = new URLSearchParams({ ...place, limit: '50' });
  const { data, error, reload } = useRequest<DeadLetterPage>(`/deadletters?${query}`, row.deadLetters);

  const act = (verb: Verb, choice: object): void => {
    setBusy(true);
    setSure(false);
    api<{ done: number }>('POST', `/deadletters/${verb}`, { body: choice })
      .then(({ done }) => {
        say('good', verb === 'replay' ? `${done} sent through the sink again` : `${done} discarded`);
        reload();
      })
      .catch((thrown) => say('bad', asApiError(thrown).message))
      .finally(() => setBusy(false));
  };

  if (error) return <ProblemNote problem={error} />;
  if (!data) return <div className="skeleton skeleton--lines" aria-busy="true" />;
  if (data.deadLetters.length === 0) {
    return <p className="nothing">No dead letters: every row of this table is in the warehouse.</p>;
  }
  return (
    <>
      <div className="dead__tools">
        <p className="muted">Mend the cause, then replay. Nothing is lost meanwhile.</p>
        <button
          type="button"
          className="button button--primary"
          disabled={busy}
          onClick={() => act('replay', place)}
        >
          Replay all
        </button>
        <button
          type="button"
          className={`button${sure ? ' button--danger' : ''}`}
          disabled={busy}
          onClick={() => (sure ? act('discard', place) : setSure(true))}
          onBlur={() => setSure(false)}
        >
          {sure ? 'Really discard all?' : 'Discard all'}
        </button>
      </div>
      <ul className="dead">
        {data.deadLetters.map((letter) => (
          <Letter
            key={letter.id}
            letter={letter}
            busy={busy}
            onAct={(verb) => act(verb, { ids: [letter.id] })}
          />
        ))}
      </ul>
      {data.next && <p className="muted">The newest 50 are shown.</p>}
    </>
  );
}

const Letter = ({
  letter,
  busy,
  onAct,
}: {
  letter: DeadLetter;
  busy: boolean;
  onAct: (verb: Verb) => void;
}) => (
  <li>
    <div className="dead__head">
      <code>{letter.key ?? 'no key'}</code>
      <time className="muted num" dateTime={letter.createdAt}>
        {dateTime(letter.createdAt)}
      </time>
      <button type="button" className="button button--small" disabled={busy} onClick={() => onAct('replay')}>
        Replay
      </button>
      <button type="button" className="button button--small" disabled={busy} onClick={() => onAct('discard')}>
        Discard
      </button>
    </div>
    <p className="dead__error">
      {letter.error} <code className="note__code">{letter.code}</code>
    </p>
    <details>
      <summary>
        Event at offset {letter.offset}, partition {letter.partition}
      </summary>
      <pre className="code">
        <code>{pretty(letter.value)}</code>
      </pre>
    </details>
  </li>
);

function pretty(value: string | null): string {
  if (value === null) return '(empty)';
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}
