import { CopyButton } from '../ui/copy-button.tsx';
import { Icon } from '../ui/icon.tsx';

const COMMAND = './bac connect add shop --url postgres://user:password@host/database';

export const EmptyState = ({ onAdd }: { onAdd: () => void }) => (
  <section className="panel empty">
    <span className="empty__icon">
      <Icon name="database" size={28} />
    </span>
    <h2>Point the hub at a database</h2>
    <p className="muted">
      Every table of it lands in ClickHouse, exact and fresh, and stays so through crashes and schema changes.
      PostgreSQL and YugabyteDB with <code>wal_level = logical</code> are all it takes.
    </p>
    <button type="button" className="button button--primary button--large" onClick={onAdd}>
      <Icon name="plus" />
      Add your first source
    </button>
    <div className="code code--inline">
      <code>{COMMAND}</code>
      <CopyButton text={COMMAND} label="Copy the command" />
    </div>
  </section>
);

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];

export const Skeleton = () => (
  <div aria-busy="true">
    <span className="visually-hidden" role="status">
      Loading
    </span>
    <div className="tiles">
      {NAMES.map((name) => (
        <div key={name} className="tile skeleton" />
      ))}
    </div>
    <div className="panel flow skeleton" />
    <div className="panel skeleton skeleton--tall" />
  </div>
);
