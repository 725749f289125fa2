import { type KeyboardEvent, useState } from 'react';
import type { TableHistory } from '../api/table-history.ts';
import type { TableDetail } from '../api/types.ts';
import { Modal } from '../ui/modal.tsx';
import { ProblemNote } from '../ui/problem-note.tsx';
import { StateChip } from '../ui/state-chip.tsx';
import { useRequest } from '../ui/use-request.ts';
import { DeadLetters } from './dead-letters.tsx';
import { Columns, Overview, Sql, Versions } from './drawer-tabs.tsx';
import type { TableRow } from './rows.ts';

const TABS = ['Overview', 'Columns', 'Versions', 'Dead letters', 'SQL'] as const;
type Tab = (typeof TABS)[number];

interface TableDrawerProps {
  readonly row: TableRow;
  readonly history: TableHistory;
  readonly onClose: () => void;
}

/** One table in depth. */
export function TableDrawer({ row, history, onClose }: TableDrawerProps) {
  const [tab, setTab] = useState<Tab>(row.deadLetters > 0 ? 'Dead letters' : 'Overview');
  const path = `/tables/${[row.source, row.schema, row.table].map(encodeURIComponent).join('/')}`;
  const detail = useRequest<TableDetail>(path, row.version);
  const move = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length]!;
    setTab(next);
    document.getElementById(`tab-${next}`)?.focus();
  };
  return (
    <Modal
      kind="drawer"
      title={row.warehouseTable}
      subtitle={
        <>
          <StateChip state={row.state} progress={row.snapshotProgress} />
          <span className="muted">
            from {row.source} · {row.schema}.{row.table}
          </span>
        </>
      }
      onClose={onClose}
    >
      <div className="tabs tabs--drawer" role="tablist" aria-label="Table" onKeyDown={move}>
        {TABS.map((name) => (
          <button
            key={name}
            id={`tab-${name}`}
            type="button"
            role="tab"
            aria-selected={tab === name}
            aria-controls="tab-panel"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => setTab(name)}
          >
            {name}
            {name === 'Dead letters' && row.deadLetters > 0 && <b className="badge num">{row.deadLetters}</b>}
          </button>
        ))}
      </div>
      <div id="tab-panel" className="drawer__body" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {row.error && <ProblemNote problem={row.error} />}
        {detail.error && <ProblemNote problem={detail.error} />}
        {tab === 'Overview' && <Overview row={row} detail={detail.data} history={history} />}
        {tab === 'Columns' && <Columns detail={detail.data} />}
        {tab === 'Versions' && <Versions detail={detail.data} />}
        {tab === 'Dead letters' && <DeadLetters row={row} />}
        {tab === 'SQL' && <Sql detail={detail.data} />}
      </div>
    </Modal>
  );
}
