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
  readonly series?: Series;
  readonly children?: ReactNode;
}

interface Series {
  readonly values: readonly (number | null)[];
  readonly times: readonly number[];
}

/** What the width of a headline chart stands for, in seconds. */
const SPAN = 120;

const Tile = ({ label, figure, detail, tone = 'accent', series, children }: TileProps) => (
  <section className={`tile tile--${tone}`} aria-label={label}>
    <h2 className="tile__label">{label}</h2>
    <p className="tile__figure">
      <Figure of={figure} />
    </p>
    <p className="tile__detail">{detail}</p>
    {series && (
      <Sparkline {...series} tone={tone} label={`${label} over the last minutes`} height={40} span={SPAN} />
    )}
    {children}
  </section>
);

const toneOf = (ms: number | null): 'good' | 'warn' | 'bad' | 'accent' => {
  const tone = freshTone(ms);
  return tone === 'none' ? 'accent' : tone;
};

/** The headline: how much flows, how fresh it is, what waits, what is wrong. */
export function Tiles({ status, samples }: { status: Status; samples: readonly StatusSample[] }) {
  const { totals } = status;
  const recent = samples.filter((sample) => sample.at > (samples.at(-1)?.at ?? 0) - SPAN * 1000);
  const times = recent.map((sample) => sample.at);
  const series = (key: Exclude<keyof StatusSample, 'at'>): Series => ({
    values: recent.map((sample) => sample[key]),
    times,
  });
  const peak = Math.max(0, ...recent.map((sample) => sample.rowsPerSecond ?? 0));
  return (
    <div className="tiles">
      <Tile
        label="Changes"
        figure={rate(totals.rowsPerSecond)}
        detail={`peak ${text(rate(peak))}`}
        series={series('rowsPerSecond')}
      />
      <Tile
        label="Freshness, median"
        figure={duration(totals.freshnessP50Ms)}
        detail="commit to query"
        tone={toneOf(totals.freshnessP50Ms)}
        series={series('freshnessP50Ms')}
      />
      <Tile
        label="Freshness, worst table"
        figure={duration(totals.freshnessMaxMs)}
        detail={stalest(status)}
        tone={toneOf(totals.freshnessMaxMs)}
        series={series('freshnessMaxMs')}
      />
      <Tile
        label="Waiting in the log"
        figure={{ value: compact(totals.lagEvents), unit: '' }}
        detail={totals.lagEvents === 1 ? 'event' : 'events'}
        series={series('lagEvents')}
      />
      <Tile
        label="Tables"
        figure={{ value: count(totals.tables), unit: '' }}
        detail={
          totals.tablesFailed ? (
            <span className="tone-bad">{totals.tablesFailed} failed</span>
          ) : (
            `${compact(totals.rows)} rows · ${totals.sources} ${totals.sources === 1 ? 'source' : 'sources'}`
          )
        }
      >
        <States status={status} />
      </Tile>
      <Tile
        label="Dead letters"
        figure={{ value: count(totals.deadLetters), unit: '' }}
        detail={totals.deadLetters === 0 ? 'every row stored' : 'kept, waiting for you'}
        tone={totals.deadLetters ? 'bad' : 'good'}
        series={series('deadLetters')}
      />
    </div>
  );
}

const SHADES = [
  ['good', 'streaming', ['streaming']],
  ['busy', 'in snapshot', ['snapshotting', 'pending']],
  ['warn', 'not captured', ['unsupported', 'dropped']],
  ['bad', 'failed', ['failed']],
] as const;

/** How many tables are in which state, as one bar. */
function States({ status }: { status: Status }) {
  const tables = status.sources.flatMap((source) => source.tables);
  const parts = SHADES.map(([shade, word, states]) => ({
    shade,
    word,
    count: tables.filter((table) => (states as readonly string[]).includes(table.state)).length,
  })).filter((part) => part.count > 0);
  const label = parts.map((part) => `${part.count} ${part.word}`).join(', ');
  return (
    <div className="states" role="img" aria-label={label} title={label}>
      {parts.map((part) => (
        <i key={part.shade} className={part.shade} style={{ flexGrow: part.count }} />
      ))}
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
