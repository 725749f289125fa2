import { useEffect, useMemo, useState } from 'react';
import type { LiveStatus } from '../api/use-status.ts';
import { ProblemNote } from '../ui/problem-note.tsx';
import { EventFeed } from './event-feed.tsx';
import { Flow } from './flow.tsx';
import { EmptyState, Skeleton } from './placeholders.tsx';
import { Roles } from './roles.tsx';
import { flatten } from './rows.ts';
import { Sources } from './sources.tsx';
import { TableDrawer } from './table-drawer.tsx';
import { TableList } from './table-list.tsx';
import { Tiles } from './tiles.tsx';

interface StreamsPageProps {
  readonly live: LiveStatus & { retry: () => void };
  readonly onAdd: () => void;
}

const fromAddress = (name: string): string | null => new URLSearchParams(location.search).get(name);

export function StreamsPage({ live, onAdd }: StreamsPageProps) {
  const { status, problem, connection } = live;
  const [source, setSource] = useState<string | null>(() => fromAddress('source'));
  const [table, setTable] = useState<string | null>(() => fromAddress('table'));

  useEffect(() => {
    const query = new URLSearchParams();
    if (source) query.set('source', source);
    if (table) query.set('table', table);
    history.replaceState(null, '', query.size ? `/?${query}` : '/');
  }, [source, table]);

  const rows = useMemo(() => (status ? flatten(status) : []), [status]);
  if (!status) {
    return (
      <main id="main" className="page">
        {problem && <ProblemNote problem={problem} />}
        {connection === 'lost' ? <Lost onRetry={live.retry} /> : <Skeleton />}
      </main>
    );
  }
  const opened = rows.find((row) => row.id === table);
  const chosen = status.sources.some((entry) => entry.name === source) ? source : null;
  return (
    <main id="main" className={`page${connection === 'live' ? '' : ' page--stale'}`}>
      <h1 className="visually-hidden">Streams</h1>
      {connection === 'lost' && <Lost onRetry={live.retry} since={status.at} />}
      {problem && <ProblemNote problem={problem} />}
      {status.sources.length === 0 ? (
        <EmptyState onAdd={onAdd} />
      ) : (
        <>
          <Tiles status={status} samples={live.samples} />
          <Flow status={status} />
          <div className="columns">
            <div className="columns__main">
              <Sources sources={status.sources} chosen={chosen} onChoose={setSource} />
              <TableList
                rows={chosen ? rows.filter((row) => row.source === chosen) : rows}
                manySources={status.sources.length > 1 && chosen === null}
                history={live.tables}
                at={status.at}
                onOpen={setTable}
              />
            </div>
            <aside className="columns__side" aria-label="Hub">
              <Roles roles={status.roles} />
              <EventFeed events={status.events} />
            </aside>
          </div>
        </>
      )}
      {opened && <TableDrawer row={opened} history={live.tables} onClose={() => setTable(null)} />}
    </main>
  );
}

const Lost = ({ onRetry, since }: { onRetry: () => void; since?: string }) => (
  <ProblemNote
    problem={{
      message: 'The connection to the hub is lost.',
      next: since
        ? `Figures below are as of ${new Date(since).toLocaleTimeString()}. The page reconnects by itself.`
        : 'The page reconnects by itself. Is the hub running? Start it with ./bac up',
    }}
    action={
      <button type="button" className="button" onClick={onRetry}>
        Retry now
      </button>
    }
  />
);
