import type { ReactNode } from 'react';
import type { Status, StatusSample } from '../api/types.ts';
import { compact, count, duration, freshTone, type Quantity, rate, text } from '../format.ts';
import { Figure } from '../ui/figure.tsx';
import { Sparkline } from '../ui/sparkline.tsx';

interface TileProps {
  readonly label: string;
  readonly figure: Quantity;
  readonly detail: ReactNode;
  readonly tone?: 'accent' | 'good' | 'warn' | 'bad';
  readonly values?: readonly (number | null)[];
}

const Tile = ({ label, figure, detail, tone = 'accent', values }: TileProps) => (
  <section className={`tile tile--${tone}`} aria-label={label}>
    <h2 className="tile__label">{label}</h2>
    <p className="tile__figure">
      <Figure of={figure} />
    </p>
    <p className="tile__detail">{detail}</p>
    {values && (
      <Sparkline values={values} tone={tone} label={`${label} over the last minutes`} height={40} span={90} />
    )}
  </section>
);

const toneOf = (ms: number | null): 'good' | 'warn' | 'bad' | 'accent' => {
  const tone = freshTone(ms);
  return tone === 'none' ? 'accent' : tone;
};

/** The headline: how much flows, how fresh it is, what waits, what is wrong. */
export function Tiles({ status, samples }: { status: Status; samples: readonly StatusSample[] }) {
  const { totals } = status;
  const peak = Math.max(0, ...samples.map((sample) => sample.rowsPerSecond ?? 0));
  return (
    <div className="tiles">
      <Tile
        label="Changes"
        figure={rate(totals.rowsPerSecond)}
        detail={`peak ${text(rate(peak))}`}
        values={samples.map((sample) => sample.rowsPerSecond)}
      />
      <Tile
        label="Freshness, median"
        figure={duration(totals.freshnessP50Ms)}
        detail="commit to query"
        tone={toneOf(totals.freshnessP50Ms)}
        values={samples.map((sample) => sample.freshnessP50Ms)}
      />
      <Tile
        label="Freshness, worst table"
        figure={duration(totals.freshnessMaxMs)}
        detail={stalest(status)}
        tone={toneOf(totals.freshnessMaxMs)}
        values={samples.map((sample) => sample.freshnessMaxMs)}
      />
      <Tile
        label="Waiting in the log"
        figure={{ value: compact(totals.lagEvents), unit: '' }}
        detail={totals.lagEvents === 1 ? 'event' : 'events'}
        values={samples.map((sample) => sample.lagEvents)}
      />
      <Tile
        label="Tables"
        figure={{ value: count(totals.tables), unit: '' }}
        detail={`${compact(totals.rows)} rows · ${totals.sources} ${totals.sources === 1 ? 'source' : 'sources'}`}
        tone={totals.tablesFailed ? 'bad' : 'accent'}
      />
      <Tile
        label="Dead letters"
        figure={{ value: count(totals.deadLetters), unit: '' }}
        detail={totals.deadLetters === 0 ? 'every row stored' : 'kept, waiting for you'}
        tone={totals.deadLetters ? 'bad' : 'good'}
      />
    </div>
  );
}

function stalest(status: Status): string {
  let worst: { ms: number; name: string } | null = null;
  for (const source of status.sources) {
    for (const table of source.tables) {
      if (table.freshnessMs !== null && table.freshnessMs > (worst?.ms ?? -1)) {
        worst = { ms: table.freshnessMs, name: table.warehouseTable };
      }
    }
  }
  return worst?.name ?? 'nothing streams yet';
}
