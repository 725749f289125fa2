import { useState } from 'react';
import { CopyButton } from '../ui/copy-button.tsx';
import { ProblemNote } from '../ui/problem-note.tsx';
import { SecretField } from '../ui/secret-field.tsx';
import { useSend } from '../ui/use-send.ts';
import { useToast } from './toasts.tsx';

type Step =
  | { readonly at: 'off' | 'on' }
  | { readonly at: 'enrolling'; readonly secret: string; readonly uri: string }
  | { readonly at: 'confirmed'; readonly recoveryCodes: readonly string[] };

/** Turning the second factor on, with its recovery codes, and off. */
export function SecondFactor({ on }: { on: boolean }) {
  const [step, setStep] = useState<Step>({ at: on ? 'on' : 'off' });
  return (
    <section className="account-part">
      <h3>Second factor</h3>
      {step.at === 'off' && <Begin onBegun={(begun) => setStep({ at: 'enrolling', ...begun })} />}
      {step.at === 'enrolling' && (
        <Confirm {...step} onConfirmed={(given) => setStep({ at: 'confirmed', ...given })} />
      )}
      {step.at === 'confirmed' && <Codes codes={step.recoveryCodes} onKept={() => setStep({ at: 'on' })} />}
      {step.at === 'on' && <TurnOff onOff={() => setStep({ at: 'off' })} />}
    </section>
  );
}

function Begin({ onBegun }: { onBegun: (begun: { secret: string; uri: string }) => void }) {
  const [password, setPassword] = useState('');
  const { busy, error, send } = useSend<{ secret: string; uri: string }>(onBegun);
  return (
    <form className="account-part__form" onSubmit={(event) => send(event, '/me/totp', { password })}>
      <p className="muted">An authenticator app then gives a code for each sign-in.</p>
      <SecretField label="Password" value={password} onChange={setPassword} autoComplete="current-password" />
      {error && <ProblemNote problem={error} />}
      <button type="submit" className="button button--small" disabled={busy}>
        Set it up
      </button>
    </form>
  );
}

function Confirm(props: {
  secret: string;
  uri: string;
  onConfirmed: (given: { recoveryCodes: string[] }) => void;
}) {
  const [code, setCode] = useState('');
  const { busy, error, send } = useSend<{ recoveryCodes: string[] }>(props.onConfirmed);
  return (
    <form className="account-part__form" onSubmit={(event) => send(event, '/me/totp/confirm', { code })}>
      <p className="muted">
        Add this key to your authenticator, or <a href={props.uri}>open it there</a>; then give its first
        code.
      </p>
      <div className="code code--inline">
        <code>{props.secret.replace(/(.{4})(?=.)/g, '$1 ')}</code>
        <CopyButton text={props.secret} label="Copy the key" />
      </div>
      <label className="field">
        <span className="field__label">Code</span>
        <input
          autoComplete="one-time-code"
          inputMode="numeric"
          required
          value={code}
          onChange={(event) => setCode(event.target.value.trim())}
        />
      </label>
      {error && <ProblemNote problem={error} />}
      <button type="submit" className="button button--small" disabled={busy}>
        Turn it on
      </button>
    </form>
  );
}

const Codes = ({ codes, onKept }: { codes: readonly string[]; onKept: () => void }) => (
  <div className="account-part__form">
    <p>
      It is on. Each of these codes lets you in once without your authenticator; they are not shown again.
    </p>
    <pre className="code account-part__codes">{codes.join('\n')}</pre>
    <div className="form__actions">
      <CopyButton text={codes.join('\n')} label="Copy the recovery codes" />
      <button type="button" className="button button--small" onClick={onKept}>
        I have kept them
      </button>
    </div>
  </div>
);

function TurnOff({ onOff }: { onOff: () => void }) {
  const [password, setPassword] = useState('');
  const say = useToast();
  const { busy, error, send } = useSend(() => {
    say('good', 'The second factor is off.');
    onOff();
  });
  return (
    <form className="account-part__form" onSubmit={(event) => send(event, '/me/totp/disable', { password })}>
      <p className="muted">It is on.</p>
      <SecretField label="Password" value={password} onChange={setPassword} autoComplete="current-password" />
      {error && <ProblemNote problem={error} />}
      <button type="submit" className="button button--small" disabled={busy}>
        Turn it off
      </button>
    </form>
  );
}
