import { HubError, type Scope } from '#kernel';

export const unauthorised = (message: string, details?: Readonly<Record<string, unknown>>): HubError =>
  new HubError('UNAUTHORISED', message, {
    next: 'Send "Authorization: Bearer KEY"; the local key is in the state folder, `bac keys create` makes others.',
    disposition: 'user',
    ...(details ? { details } : {}),
  });

export const forbidden = (scope: Scope | 'administer' | null): HubError =>
  new HubError(
    'FORBIDDEN',
    scope === 'administer' ? 'This is for administrators.' : `This needs the right "${scope}".`,
    { next: 'Use a key that has it; `bac keys list` shows the rights of each.', disposition: 'user' },
  );

export const forbiddenOrigin = (): HubError =>
  new HubError('ORIGIN_REFUSED', 'The request does not come from the hub’s own page.', {
    next: 'Open the hub under its own address, or use an API key.',
    disposition: 'user',
  });

export const signInRefused = (message: string, next: string): HubError =>
  new HubError('SIGN_IN_REFUSED', message, { next, disposition: 'user' });
