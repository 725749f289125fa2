import type { ReactNode } from 'react';
import type { Problem, Status } from '../api/types.ts';
import { bytes, compact, count, text } from '../format.ts';
import { Icon, type IconName } from '../ui/icon.tsx';

interface StageProps {
  readonly icon: IconName;
  readonly name: string;
  readonly error: Problem | null;
  readonly tone?: 'warn' | 'bad' | undefined;
  readonly children: ReactNode;
}

const Stage = ({ icon, name, error, tone, children }: StageProps) => (
  <div className={`stage${error ? ' stage--bad' : tone ? ` stage--${tone}` : ''}`}>
    <span className="stage__icon">
      <Icon name={icon} />
    </span>
    <div className="stage__text">
      <strong>{name}</strong>
      <span title={error?.next}>{error ? error.message : children}</span>
    </div>
  </div>
);

/** The way of the data, from left to right, with what each station holds. */
export function Flow({ status }: { status: Status }) {
  const { sources, log, warehouse, totals } = status;
  const lags = sources.flatMap((source) => (source.lagBytes === null ? [] : [source.lagBytes]));
  const slots = lags.length ? Math.max(...lags) : null;
  const alarm = sources.some((source) => source.lagAlarm === 'alarm')
    ? 'bad'
    : sources.some((source) => source.lagAlarm === 'warn')
      ? 'warn'
      : undefined;
  const moving = (totals.rowsPerSecond ?? 0) > 0;
  const pipe = (
    <span className={`pipe${moving ? ' pipe--moving' : ''}`} aria-hidden="true">
      <i />
    </span>
  );
  return (
    <section className="flow panel" aria-label="Flow">
      <Stage
        icon="database"
        name={sources.length === 1 ? '1 source' : `${sources.length} sources`}
        error={null}
        tone={alarm}
      >
        slot lag {text(bytes(slots))}
      </Stage>
      {pipe}
      <Stage icon="log" name="Log" error={log.error}>
        {count(log.topics)} topics · {text(bytes(log.bytes))} · {compact(totals.lagEvents)} waiting
      </Stage>
      {pipe}
      <Stage
        icon="warehouse"
        name={`ClickHouse ${warehouse.version?.split('.').slice(0, 2).join('.') ?? ''}`}
        error={warehouse.error}
      >
        {compact(totals.rows)} rows · {text(bytes(warehouse.bytes))}
      </Stage>
    </section>
  );
}
