import { memo } from 'react';
import type { TableHistory } from '../api/table-history.ts';
import { bytes, count, duration, freshTone, rate } from '../format.ts';
import { Figure } from '../ui/figure.tsx';
import { Sparkline } from '../ui/sparkline.tsx';
import { StateChip } from '../ui/state-chip.tsx';
import type { TableRow } from './rows.ts';

interface TableLineProps {
  readonly row: TableRow;
  /** Moment of the figures: a new one draws the line again. */
  readonly at: string;
  readonly manySources: boolean;
  readonly tabbable: boolean;
  readonly history: TableHistory;
  readonly onFocus: (id: string) => void;
  readonly onOpen: (id: string) => void;
}

export const TableLine = memo(function TableLine(props: TableLineProps) {
  const { row, manySources, tabbable, history, onFocus, onOpen } = props;
  const prefix = [manySources ? row.source : null, row.schema === 'public' ? null : row.schema].filter(
    Boolean,
  );
  return (
    <tr
      tabIndex={tabbable ? 0 : -1}
      aria-label={`${row.id}, ${row.state}`}
      onFocus={() => onFocus(row.id)}
      onClick={() => onOpen(row.id)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter') return;
        // Else the same key press would go on to the drawer's close button.
        event.preventDefault();
        onOpen(row.id);
      }}
    >
      <td className="grid__name">
        {prefix.length > 0 && <span className="muted">{prefix.join('.')}.</span>}
        {row.table}
        {row.error && <span className="grid__error">{row.error.message}</span>}
      </td>
      <td>
        <StateChip state={row.state} progress={row.snapshotProgress} />
        {row.snapshotProgress !== null && (
          <progress max={1} value={row.snapshotProgress} aria-label={`Snapshot of ${row.table}`} />
        )}
      </td>
      <td
        className="right num"
        title={row.rowsKind === 'approximate' ? 'Stored rows, superseded versions included' : undefined}
      >
        {row.rowsKind === 'approximate' && <span className="muted">≈ </span>}
        {count(row.rows)}
      </td>
      <td className="right hide-medium">
        <Figure of={bytes(row.bytes)} />
      </td>
      <td className={`right tone-${freshTone(row.freshnessMs)}`}>
        <Figure of={duration(row.freshnessMs)} />
      </td>
      <td className="right grid__rate">
        <Sparkline
          values={history.rate(row.id)}
          width={72}
          height={18}
          area={false}
          label={`Changes of ${row.table} over the last minute`}
        />
        <Figure of={rate(row.rowsPerSecond)} />
      </td>
      <td className="right num hide-medium">{count(row.lagEvents)}</td>
      <td className={`right num hide-narrow${row.deadLetters > 0 ? ' tone-bad' : ' muted'}`}>
        {count(row.deadLetters)}
      </td>
    </tr>
  );
});
