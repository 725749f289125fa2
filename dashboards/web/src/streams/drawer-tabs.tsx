import type { ReactNode } from 'react';
import type { TableHistory } from '../api/table-history.ts';
import type { TableDetail } from '../api/types.ts';
import { bytes, count, dateTime, duration, rate, text } from '../format.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import { Sparkline } from '../ui/sparkline.tsx';
import type { TableRow } from './rows.ts';

const Loading = () => <div className="skeleton skeleton--lines" aria-busy="true" />;

const Item = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd className="num">{children}</dd>
  </div>
);

const KEY_RULES: Readonly<Record<string, string>> = {
  'primary-key': 'primary key',
  'replica-index': 'replica identity index',
  'whole-row': 'whole row',
};

interface OverviewProps {
  readonly row: TableRow;
  readonly detail: TableDetail | null;
  readonly history: TableHistory;
}

export const Overview = ({ row, detail, history }: OverviewProps) => (
  <>
    <div className="charts">
      <figure>
        <figcaption>
          Changes <b className="num">{text(rate(row.rowsPerSecond))}</b>
        </figcaption>
        <Sparkline values={history.rate(row.id)} height={64} label="Changes over the last minute" />
      </figure>
      <figure>
        <figcaption>
          Freshness <b className="num">{text(duration(row.freshnessMs))}</b>
        </figcaption>
        <Sparkline
          values={history.freshness(row.id)}
          height={64}
          tone="good"
          label="Freshness over the last minute"
        />
      </figure>
    </div>
    <dl className="details">
      <Item name="Rows">
        {count(row.rows)} <span className="muted">{row.rowsKind === 'unknown' ? '' : row.rowsKind}</span>
      </Item>
      <Item name="Size in ClickHouse">{text(bytes(row.bytes))}</Item>
      <Item name="Waiting in the log">{count(row.lagEvents)} events</Item>
      <Item name="Dead letters">{count(row.deadLetters)}</Item>
      <Item name="Snapshot">
        {count(row.snapshotRows)} rows
        {row.snapshotProgress !== null && ` of about ${count(row.estimatedRows)}`}
      </Item>
      <Item name="Generation · schema version">
        {row.generation} · {row.version}
      </Item>
      <Item name="Key">
        {detail ? `${detail.key.join(', ') || 'none'} (${KEY_RULES[detail.keyRule] ?? detail.keyRule})` : '–'}
      </Item>
    </dl>
  </>
);

export const Columns = ({ detail }: { detail: TableDetail | null }) =>
  detail === null ? (
    <Loading />
  ) : (
    <table className="grid grid--plain">
      <thead>
        <tr>
          <th scope="col">Column</th>
          <th scope="col">Type at the source</th>
          <th scope="col">Null</th>
        </tr>
      </thead>
      <tbody>
        {detail.columns.map((column) => (
          <tr key={column.name}>
            <td className="mono">
              {column.name}
              {detail.key.includes(column.name) && <span className="badge badge--quiet">key</span>}
              {column.comment && <span className="grid__comment">{column.comment}</span>}
            </td>
            <td className="mono muted">{column.type}</td>
            <td className="muted">{column.nullable ? 'yes' : 'no'}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );

export const Versions = ({ detail }: { detail: TableDetail | null }) =>
  detail === null ? (
    <Loading />
  ) : (
    <ol className="versions">
      {detail.versions.map((version) => (
        <li key={version.version}>
          <b className="num">v{version.version}</b>
          <time className="muted num" dateTime={version.at}>
            {dateTime(version.at)}
          </time>
          <ul>
            {version.changes.map((change) => (
              <li key={change}>{change}</li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );

const TITLES = { sample: 'Rows as they are now', count: 'Exact count', recent: 'Latest changes' } as const;

export const Sql = ({ detail }: { detail: TableDetail | null }) =>
  detail === null ? (
    <Loading />
  ) : (
    <>
      {(['sample', 'count', 'recent'] as const).map((name) => (
        <section key={name} className="snippet">
          <header>
            <h3>{TITLES[name]}</h3>
            <CopyButton text={detail.sql[name]} label={`Copy SQL: ${TITLES[name]}`} />
          </header>
          <pre className="code">
            <code>{detail.sql[name]}</code>
          </pre>
        </section>
      ))}
      <p className="muted">
        Run it with <code>bac sql</code>, or any ClickHouse client. <code>FINAL</code> gives one row per key.
      </p>
    </>
  );
