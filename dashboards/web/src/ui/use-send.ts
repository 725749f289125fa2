import { type FormEvent, useState } from 'react';
import { type ApiError, api, asApiError } from '../api/client.ts';

export interface Sending {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** POSTs `body` for a form that was submitted. */
  readonly send: (event: FormEvent, path: string, body: object) => void;
}

/** Sends a form; knows when it is under way and what went wrong. `onDone` gets the answer. */
export function useSend<T>(onDone: (answer: T) => void): Sending {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const send: Sending['send'] = (event, path, body) => {
    event.preventDefault();
    setBusy(true);
    api<T>('POST', path, { body })
      .then(
        (answer) => {
          setError(null);
          onDone(answer);
        },
        (thrown) => setError(asApiError(thrown)),
      )
      .finally(() => setBusy(false));
  };
  return { busy, error, send };
}
