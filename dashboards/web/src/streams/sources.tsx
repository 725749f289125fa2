import { useState } from 'react';
import { api, asApiError } from '../api/client.ts';
import type { SourceStatus } from '../api/types.ts';
import { bytes, duration, rate, text } from '../format.ts';
import { useToast } from '../shell/toasts.tsx';
import { Icon } from '../ui/icon.tsx';
import { ProblemNote } from '../ui/problem-note.tsx';
import { StateChip } from '../ui/state-chip.tsx';
import { Confirm } from './confirm.tsx';

interface SourcesProps {
  readonly sources: readonly SourceStatus[];
  readonly chosen: string | null;
  readonly onChoose: (name: string | null) => void;
}

export const Sources = ({ sources, chosen, onChoose }: SourcesProps) => (
  <section aria-labelledby="sources-title">
    <div className="section-head">
      <h2 id="sources-title">Sources</h2>
      {chosen && (
        <button type="button" className="button button--small" onClick={() => onChoose(null)}>
          Show all
        </button>
      )}
    </div>
    <ul className="sources">
      {sources.map((source) => (
        <SourceCard
          key={source.name}
          source={source}
          chosen={chosen === source.name}
          onChoose={() => onChoose(chosen === source.name ? null : source.name)}
        />
      ))}
    </ul>
    <div className="sources-errors">
      {sources.map(
        (source) =>
          source.error && (
            <ProblemNote
              key={source.name}
              problem={{ ...source.error, message: `${source.name}: ${source.error.message}` }}
            />
          ),
      )}
    </div>
  </section>
);

type Asking = 'resnapshot' | 'remove' | null;

function SourceCard({
  source,
  chosen,
  onChoose,
}: {
  source: SourceStatus;
  chosen: boolean;
  onChoose: () => void;
}) {
  const say = useToast();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState<Asking>(null);
  const paused = source.desired === 'paused';
  const act = (done: string, request: () => Promise<unknown>): void => {
    setBusy(true);
    setAsking(null);
    request()
      .then(() => say('good', done))
      .catch((thrown) => say('bad', asApiError(thrown).message))
      .finally(() => setBusy(false));
  };
  const path = `/sources/${encodeURIComponent(source.name)}`;
  const streaming = source.tables.filter((table) => table.state === 'streaming').length;
  return (
    <li className={`card${chosen ? ' card--chosen' : ''}`}>
      <div className="card__head">
        <button type="button" className="card__name" aria-pressed={chosen} onClick={onChoose}>
          {source.name}
        </button>
        <StateChip state={source.state} />
        <span className="card__actions">
          <button
            type="button"
            className="button button--icon"
            disabled={busy}
            aria-label={`${paused ? 'Resume' : 'Pause'} ${source.name}`}
            title={paused ? 'Resume' : 'Pause'}
            onClick={() =>
              act(paused ? `${source.name} resumes` : `${source.name} pauses`, () =>
                api('POST', `${path}/${paused ? 'resume' : 'pause'}`),
              )
            }
          >
            <Icon name={paused ? 'play' : 'pause'} size={14} />
          </button>
          <button
            type="button"
            className="button button--icon"
            disabled={busy}
            aria-label={`Copy ${source.name} afresh`}
            title="Copy afresh"
            onClick={() => setAsking('resnapshot')}
          >
            <Icon name="refresh" size={14} />
          </button>
          <button
            type="button"
            className="button button--icon"
            disabled={busy}
            aria-label={`Remove ${source.name}`}
            title="Remove"
            onClick={() => setAsking('remove')}
          >
            <Icon name="trash" size={14} />
          </button>
        </span>
      </div>
      <p className="card__url mono" title={source.url}>
        {source.url.replace(/^postgres(ql)?:\/\//, '').replace(/^[^@/]*@/, '')}
      </p>
      <dl className="facts">
        <Fact
          name="Tables"
          value={
            streaming === source.tables.length ? `${streaming}` : `${streaming} of ${source.tables.length}`
          }
        />
        <Fact name="Changes" value={text(rate(source.rowsPerSecond))} />
        <Fact name="Fresh" value={text(duration(source.freshnessMs))} />
        <Fact name="Slot lag" value={text(bytes(source.lagBytes))} tone={source.lagAlarm} />
      </dl>
      {asking === 'resnapshot' && (
        <Confirm
          title={`Copy ${source.name} afresh?`}
          text={`All ${source.tables.length} tables are read again while changes go on. Readers see the present rows until the new copy is complete.`}
          action="Copy afresh"
          onClose={() => setAsking(null)}
          onConfirm={() =>
            act(`${source.name} is being copied afresh`, () => api('POST', `${path}/resnapshot`))
          }
        />
      )}
      {asking === 'remove' && (
        <Confirm
          title={`Remove ${source.name}?`}
          text="Capture ends for good and the replication slot is dropped. The tables in ClickHouse stay as they are."
          action="Remove source"
          typed={source.name}
          onClose={() => setAsking(null)}
          onConfirm={() => act(`${source.name} removed`, () => api('DELETE', path))}
        />
      )}
    </li>
  );
}

const Fact = ({ name, value, tone }: { name: string; value: string; tone?: string }) => (
  <div className={tone ? `fact fact--${tone}` : 'fact'}>
    <dt>{name}</dt>
    <dd className="num">{value}</dd>
  </div>
);
