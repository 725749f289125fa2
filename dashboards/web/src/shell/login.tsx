import { useEffect, useRef, useState } from 'react';
import { ProblemNote } from '../ui/problem-note.tsx';
import { SecretField } from '../ui/secret-field.tsx';
import { useRequest } from '../ui/use-request.ts';
import { useSend } from '../ui/use-send.ts';

type Way = 'account' | 'key';

interface Providers {
  readonly providers: readonly { readonly name: string; readonly label: string }[];
}

/** Signing in: with e-mail address and password (and code), at a provider, or with an API key. */
export function Login({ onDone, onCancel }: { onDone: () => void; onCancel?: () => void }) {
  const [way, setWay] = useState<Way>('account');
  const { data } = useRequest<Providers>('/oidc');
  return (
    <main className="login">
      <section className="panel login__form" aria-labelledby="login-title">
        <h1 id="login-title">Sign in to BAC Hub</h1>
        {way === 'account' ? <Account onDone={onDone} /> : <Key onDone={onDone} />}
        <div className="login__others">
          {data?.providers.map(({ name, label }) => (
            <a key={name} className="button" href={`/api/v1/oidc/${name}/start`}>
              Sign in with {label}
            </a>
          ))}
          <button
            type="button"
            className="button"
            onClick={() => setWay(way === 'account' ? 'key' : 'account')}
          >
            {way === 'account' ? 'Use an API key' : 'Use e-mail and password'}
          </button>
          {onCancel && (
            <button type="button" className="button" onClick={onCancel}>
              Back
            </button>
          )}
        </div>
      </section>
    </main>
  );
}

function Account({ onDone }: { onDone: () => void }) {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const { busy, error, send } = useSend(onDone);
  const [asked, setAsked] = useState(false);
  const codeField = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (error?.code === 'CODE_REQUIRED') setAsked(true);
    if (error?.code === 'CODE_WRONG') setCode('');
  }, [error]);
  useEffect(() => {
    if (asked) codeField.current?.focus();
  }, [asked]);
  return (
    <form className="login__fields" onSubmit={(event) => send(event, '/session', { email, password, code })}>
      <label className="field">
        <span className="field__label">E-mail</span>
        <input
          type="email"
          autoComplete="username"
          // biome-ignore lint/a11y/noAutofocus: the page has nothing else to do
          autoFocus
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
      </label>
      <SecretField label="Password" value={password} onChange={setPassword} autoComplete="current-password" />
      {asked && (
        <label className="field">
          <span className="field__label">
            Code <span className="muted">of your authenticator, or a recovery code</span>
          </span>
          <input
            ref={codeField}
            autoComplete="one-time-code"
            spellCheck={false}
            required
            value={code}
            onChange={(event) => setCode(event.target.value)}
          />
        </label>
      )}
      {error && error.code !== 'CODE_REQUIRED' && <ProblemNote problem={error} />}
      <Submit busy={busy} />
    </form>
  );
}

function Key({ onDone }: { onDone: () => void }) {
  const [key, setKey] = useState('');
  const { busy, error, send } = useSend(onDone);
  return (
    <form className="login__fields" onSubmit={(event) => send(event, '/session', { key })}>
      <p className="muted">
        Make a key with <code>bac keys create NAME</code>.
      </p>
      <SecretField label="API key" value={key} onChange={setKey} autoComplete="off" autoFocus />
      {error && <ProblemNote problem={error} />}
      <Submit busy={busy} />
    </form>
  );
}

const Submit = ({ busy }: { busy: boolean }) => (
  <button type="submit" className="button button--primary" disabled={busy}>
    {busy ? 'Signing in…' : 'Sign in'}
  </button>
);
