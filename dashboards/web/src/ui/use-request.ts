import { useCallback, useEffect, useState } from 'react';
import { type ApiError, api, asApiError } from '../api/client.ts';

export interface Request<T> {
  readonly data: T | null;
  readonly error: ApiError | null;
  readonly reload: () => void;
}

/** GETs `path`, again when `version` changes or `reload` is called; keeps the last answer meanwhile. */
export function useRequest<T>(path: string, version: unknown = null): Request<T> {
  const [state, setState] = useState<{ path: string; data: T | null; error: ApiError | null }>({
    path,
    data: null,
    error: null,
  });
  const [round, setRound] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: version and round ask for a new answer
  useEffect(() => {
    const abort = new AbortController();
    api<T>('GET', path, { signal: abort.signal }).then(
      (data) => setState({ path, data, error: null }),
      (thrown) => {
        if (!abort.signal.aborted) setState((old) => ({ path, data: old.data, error: asApiError(thrown) }));
      },
    );
    return () => abort.abort();
  }, [path, version, round]);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  return state.path === path ? { ...state, reload } : { data: null, error: null, reload };
}
