import { type FormEvent, useState } from 'react';
import { type ApiError, api, asApiError } from '../api/client.ts';
import { ProblemNote } from '../ui/problem-note.tsx';

export function Login({ onDone }: { onDone: () => void }) {
  const [key, setKey] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setBusy(true);
    api('POST', '/session', { body: { key } })
      .then(onDone)
      .catch((thrown) => setError(asApiError(thrown)))
      .finally(() => setBusy(false));
  };
  return (
    <main className="login">
      <form className="panel login__form" onSubmit={submit}>
        <h1>Sign in to BAC Hub</h1>
        <p className="muted">
          This hub is not on your own machine, so it asks for an API key. Make one with{' '}
          <code>bac keys create NAME</code>.
        </p>
        <label className="field">
          <span className="field__label">API key</span>
          <input
            type="password"
            autoComplete="current-password"
            required
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        </label>
        {error && <ProblemNote problem={error} />}
        <button type="submit" className="button button--primary" disabled={busy || key === ''}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
