import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { TableHistory } from '../api/table-history.ts';
import { Icon } from '../ui/icon.tsx';
import { inScope, type Scope, type SortKey, sortRows, type TableRow } from './rows.ts';
import { TableLine } from './table-line.tsx';

interface TableListProps {
  readonly rows: readonly TableRow[];
  readonly manySources: boolean;
  readonly history: TableHistory;
  readonly at: string;
  readonly onOpen: (id: string) => void;
}

const COLUMNS: readonly { key: SortKey; label: string; right?: boolean; className?: string }[] = [
  { key: 'table', label: 'Table' },
  { key: 'state', label: 'State' },
  { key: 'rows', label: 'Rows', right: true },
  { key: 'bytes', label: 'Size', right: true, className: 'hide-medium' },
  { key: 'freshness', label: 'Freshness', right: true },
  { key: 'rate', label: 'Changes', right: true },
  { key: 'waiting', label: 'Waiting', right: true, className: 'hide-medium' },
  { key: 'dead', label: 'Dead', right: true, className: 'hide-narrow' },
];

const SCOPES: readonly (readonly [Scope, string])[] = [
  ['all', 'All'],
  ['attention', 'Need attention'],
  ['snapshot', 'In snapshot'],
];

/** Every table with filter, sort and keyboard: `/` filters, arrows move, Enter opens. */
export function TableList({ rows, manySources, history, at, onOpen }: TableListProps) {
  const [filter, setFilter] = useState('');
  const [scope, setScope] = useState<Scope>('all');
  const [sort, setSort] = useState<{ key: SortKey; descending: boolean }>({
    key: 'table',
    descending: false,
  });
  const [active, setActive] = useState<string | null>(null);
  const search = useRef<HTMLInputElement>(null);
  const body = useRef<HTMLTableSectionElement>(null);

  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent): void => {
      if (event.key !== '/' || event.metaKey || event.ctrlKey || document.querySelector('dialog[open]'))
        return;
      if (event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName))
        return;
      event.preventDefault();
      search.current?.focus();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);

  const shown = useMemo(() => {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = rows.filter(
      (row) => inScope(row, scope) && words.every((word) => row.id.toLowerCase().includes(word)),
    );
    return sortRows(kept, sort.key, sort.descending);
  }, [rows, filter, scope, sort]);
  const counts = useMemo(
    () => Object.fromEntries(SCOPES.map(([name]) => [name, rows.filter((row) => inScope(row, name)).length])),
    [rows],
  );
  const tabStop = shown.some((row) => row.id === active) ? active : shown[0]?.id;

  const focusRow = (index: number): void => {
    const line = body.current?.rows[Math.max(0, Math.min(index, shown.length - 1))];
    line?.focus();
    line?.scrollIntoView({ block: 'nearest' });
  };
  const move = (event: KeyboardEvent): void => {
    const index = shown.findIndex((row) => row.id === active);
    const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (event.key === 'Escape') search.current?.focus();
    else if (target === undefined) return;
    else if (target < 0) search.current?.focus();
    else focusRow(target);
    event.preventDefault();
  };
  const sortBy = (key: SortKey): void =>
    setSort((old) => ({
      key,
      descending: old.key === key ? !old.descending : key !== 'table' && key !== 'state',
    }));

  return (
    <section aria-labelledby="tables-title">
      <div className="section-head section-head--tools">
        <h2 id="tables-title">
          Tables <span className="num count">{shown.length}</span>
        </h2>
        <fieldset className="segments">
          <legend className="visually-hidden">Show</legend>
          {SCOPES.map(([name, label]) => (
            <button key={name} type="button" aria-pressed={scope === name} onClick={() => setScope(name)}>
              {label}
              {name !== 'all' && (counts[name] ?? 0) > 0 && <b className="num">{counts[name]}</b>}
            </button>
          ))}
        </fieldset>
        <div className="search">
          <Icon name="search" size={14} />
          <input
            ref={search}
            type="search"
            placeholder="Filter tables"
            aria-label="Filter tables"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === 'ArrowDown') {
                event.preventDefault();
                focusRow(0);
              } else if (event.key === 'Escape') {
                if (filter === '') search.current?.blur();
                setFilter('');
              }
            }}
          />
          <kbd>/</kbd>
        </div>
      </div>
      <div className="panel table-wrap">
        <table className="grid">
          <thead>
            <tr>
              {COLUMNS.map(({ key, label, right, className = '' }) => (
                <th
                  key={key}
                  scope="col"
                  className={`${right ? 'right ' : ''}${className}`}
                  aria-sort={sort.key === key ? (sort.descending ? 'descending' : 'ascending') : 'none'}
                >
                  <button type="button" onClick={() => sortBy(key)}>
                    {label}
                    <Icon name={sort.key === key ? (sort.descending ? 'down' : 'up') : 'sort'} size={12} />
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody ref={body} onKeyDown={move}>
            {shown.map((row) => (
              <TableLine
                key={row.id}
                row={row}
                at={at}
                manySources={manySources}
                tabbable={row.id === tabStop}
                history={history}
                onFocus={setActive}
                onOpen={onOpen}
              />
            ))}
          </tbody>
        </table>
        {shown.length === 0 && (
          <p className="nothing">
            {rows.length === 0
              ? 'No tables yet: the source is still being read.'
              : scope === 'attention' && filter === ''
                ? 'Nothing needs attention.'
                : 'No table matches.'}
          </p>
        )}
      </div>
    </section>
  );
}
