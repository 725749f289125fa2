import { useState } from 'react';
import { api } from '../api/client.ts';
import type { Session } from '../api/types.ts';
import { AccountDialog } from './account-dialog.tsx';
import { useToast } from './toasts.tsx';

interface AccountProps {
  readonly session: Session;
  readonly onChange: (to: 'signed-out' | 'sign-in') => void;
}

/** Who is signed in, and the way out; the owner of a loopback hub may become somebody else instead. */
export function Account({ session, onChange }: AccountProps) {
  const [open, setOpen] = useState(false);
  const say = useToast();
  const local = session.via === 'local';
  const gone = (): void => onChange('signed-out');
  const leave = (): void => {
    if (local) onChange('sign-in');
    else api('DELETE', '/session').then(gone, (error: Error) => say('bad', error.message));
  };
  const name = (
    <>
      {local ? 'Local owner' : session.user}
      {session.tenant && <small>{session.tenant}</small>}
    </>
  );
  return (
    <span className="account">
      {session.account ? (
        <button
          type="button"
          className="button button--small account__name"
          title="Your sessions, second factor and password"
          onClick={() => setOpen(true)}
        >
          {name}
        </button>
      ) : (
        <span className="account__name hide-narrow">{name}</span>
      )}
      <button type="button" className="button button--small" onClick={leave}>
        {local ? 'Sign in' : 'Sign out'}
      </button>
      {open && <AccountDialog user={session.user} onClose={() => setOpen(false)} onSignedOut={gone} />}
    </span>
  );
}
