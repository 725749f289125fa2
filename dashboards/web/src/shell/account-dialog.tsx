import { useState } from 'react';
import { api, asApiError } from '../api/client.ts';
import type { OwnAccount } from '../api/types.ts';
import { dateTime } from '../format.ts';
import { Modal } from '../ui/modal.tsx';
import { ProblemNote } from '../ui/problem-note.tsx';
import { SecretField } from '../ui/secret-field.tsx';
import { useRequest } from '../ui/use-request.ts';
import { useSend } from '../ui/use-send.ts';
import { SecondFactor } from './second-factor.tsx';
import { useToast } from './toasts.tsx';

interface AccountDialogProps {
  readonly user: string;
  readonly onClose: () => void;
  readonly onSignedOut: () => void;
}

/** What a signed-in user does for himself: sessions, second factor, password. */
export function AccountDialog({ user, onClose, onSignedOut }: AccountDialogProps) {
  const { data, error, reload } = useRequest<OwnAccount>('/me/sessions');
  return (
    <Modal kind="dialog" title="Your account" subtitle={user} onClose={onClose}>
      <div className="form">
        {error && <ProblemNote problem={error} />}
        {data && <Sessions sessions={data.sessions} onEnded={reload} onSignedOut={onSignedOut} />}
        {data?.hasPassword && <SecondFactor on={data.totp} />}
        {data?.hasPassword && <Password onSignedOut={onSignedOut} />}
      </div>
    </Modal>
  );
}

interface SessionsProps {
  readonly sessions: OwnAccount['sessions'];
  readonly onEnded: () => void;
  readonly onSignedOut: () => void;
}

function Sessions({ sessions, onEnded, onSignedOut }: SessionsProps) {
  const say = useToast();
  const fail = (thrown: unknown): void => say('bad', asApiError(thrown).message);
  return (
    <section className="account-part">
      <h3>Sessions</h3>
      <ul className="account-part__list">
        {sessions.map(({ id, address, agent, seenAt, current }) => (
          <li key={id}>
            <span title={agent}>
              {address} <small className="muted">{current ? 'this browser' : dateTime(seenAt)}</small>
            </span>
            {!current && (
              <button
                type="button"
                className="button button--small"
                aria-label={`End the session of ${address}, ${dateTime(seenAt)}`}
                onClick={() => api('DELETE', `/me/sessions/${id}`).then(onEnded, fail)}
              >
                End
              </button>
            )}
          </li>
        ))}
      </ul>
      <button
        type="button"
        className="button button--small"
        onClick={() => api('DELETE', '/me/sessions').then(onSignedOut, fail)}
      >
        Sign out everywhere
      </button>
    </section>
  );
}

function Password({ onSignedOut }: { onSignedOut: () => void }) {
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const { busy, error, send } = useSend(onSignedOut);
  return (
    <section className="account-part">
      <h3>Password</h3>
      <form
        className="account-part__form"
        onSubmit={(event) => send(event, '/me/password', { current, next })}
      >
        <SecretField
          label="Present password"
          value={current}
          onChange={setCurrent}
          autoComplete="current-password"
        />
        <SecretField label="New password" value={next} onChange={setNext} autoComplete="new-password" />
        {error && <ProblemNote problem={error} />}
        <button type="submit" className="button button--small" disabled={busy}>
          Change it and sign out everywhere
        </button>
      </form>
    </section>
  );
}
