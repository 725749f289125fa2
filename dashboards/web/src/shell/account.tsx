import { api } from '../api/client.ts';
import type { Session } from '../api/types.ts';
import { useRequest } from '../ui/use-request.ts';
import { useToast } from './toasts.tsx';

/** Who is signed in, and the way out; the owner of a loopback hub may become somebody else instead. */
export function Account({ onChange }: { onChange: (to: 'signed-out' | 'sign-in') => void }) {
  const { data } = useRequest<Session>('/session');
  const say = useToast();
  if (!data) return null;
  const local = data.via === 'local';
  const leave = (): void => {
    if (local) onChange('sign-in');
    else
      api('DELETE', '/session').then(
        () => onChange('signed-out'),
        (error: Error) => say('bad', error.message),
      );
  };
  return (
    <span className="account">
      <span
        className="account__name hide-narrow"
        title={data.tenant ? `Tenant ${data.tenant}` : 'All tenants'}
      >
        {local ? 'Local owner' : data.user}
        {data.tenant && <small>{data.tenant}</small>}
      </span>
      <button type="button" className="button button--small" onClick={leave}>
        {local ? 'Sign in' : 'Sign out'}
      </button>
    </span>
  );
}
