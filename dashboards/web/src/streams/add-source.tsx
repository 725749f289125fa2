import { type FormEvent, type ReactNode, useState } from 'react';
import { type ApiError, api, asApiError } from '../api/client.ts';
import { useToast } from '../shell/toasts.tsx';
import { Modal } from '../ui/modal.tsx';
import { ProblemNote } from '../ui/problem-note.tsx';

const FIELDS = ['name', 'url', 'kind', 'tables'];

/** Adds a source; what the API finds wrong stands beside the field it is about. */
export function AddSource({ onClose }: { onClose: () => void }) {
  const say = useToast();
  const [name, setName] = useState('');
  const [url, setUrl] = useState('');
  const [kind, setKind] = useState('postgres');
  const [tables, setTables] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);

  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const list = tables.split(/[\s,]+/).filter(Boolean);
    setBusy(true);
    setError(null);
    api('POST', '/sources', { body: { name, url, kind, ...(list.length ? { tables: list } : {}) } })
      .then(() => {
        say('good', `${name} added: its tables appear as they are found`);
        onClose();
      })
      .catch((thrown) => setError(asApiError(thrown)))
      .finally(() => setBusy(false));
  };
  const wrong = (field: string): string | undefined =>
    error?.fields.find(({ path }) => path.split('.')[0] === field)?.message ??
    (field === 'name' && (error?.code === 'SOURCE_EXISTS' || error?.code === 'NAME_INVALID')
      ? error.message
      : undefined);
  const general = error && !FIELDS.some(wrong);

  return (
    <Modal
      kind="dialog"
      title="Add a source"
      subtitle="Its tables are copied, then followed change by change."
      onClose={onClose}
    >
      <form className="form" onSubmit={submit} noValidate>
        <Field label="Name" hint="Becomes the database in ClickHouse." wrong={wrong('name')} id="source-name">
          <input
            id="source-name"
            // biome-ignore lint/a11y/noAutofocus: the dialog was opened to fill this in
            autoFocus
            value={name}
            placeholder="shop"
            autoComplete="off"
            spellCheck={false}
            aria-invalid={wrong('name') !== undefined}
            aria-describedby="source-name-note"
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
        <Field
          label="Connection"
          hint="The user needs the right to replicate and to read the tables."
          wrong={wrong('url')}
          id="source-url"
        >
          <input
            id="source-url"
            className="mono"
            value={url}
            placeholder="postgres://user:password@host:5432/database"
            autoComplete="off"
            spellCheck={false}
            aria-invalid={wrong('url') !== undefined}
            aria-describedby="source-url-note"
            onChange={(event) => setUrl(event.target.value)}
          />
        </Field>
        <Field label="Kind" wrong={wrong('kind')} id="source-kind">
          <select id="source-kind" value={kind} onChange={(event) => setKind(event.target.value)}>
            <option value="postgres">PostgreSQL</option>
            <option value="yugabyte">YugabyteDB</option>
          </select>
        </Field>
        <Field
          label="Tables"
          optional
          hint="Separated by commas, as table or schema.table. Empty means every table."
          wrong={wrong('tables')}
          id="source-tables"
        >
          <input
            id="source-tables"
            className="mono"
            value={tables}
            placeholder="orders, sales.customers"
            autoComplete="off"
            spellCheck={false}
            aria-invalid={wrong('tables') !== undefined}
            aria-describedby="source-tables-note"
            onChange={(event) => setTables(event.target.value)}
          />
        </Field>
        {general && <ProblemNote problem={error} />}
        <div className="form__actions">
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button button--primary" disabled={busy}>
            {busy ? 'Checking the connection…' : 'Add source'}
          </button>
        </div>
      </form>
    </Modal>
  );
}

interface FieldProps {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly optional?: boolean;
  readonly wrong: string | undefined;
  readonly children: ReactNode;
}

const Field = ({ id, label, hint, optional, wrong, children }: FieldProps) => (
  <div className={`field${wrong ? ' field--wrong' : ''}`}>
    <label className="field__label" htmlFor={id}>
      {label} {optional && <span className="muted">optional</span>}
    </label>
    {children}
    <p id={`${id}-note`} className="field__note" role={wrong ? 'alert' : undefined}>
      {wrong ?? hint}
    </p>
  </div>
);
