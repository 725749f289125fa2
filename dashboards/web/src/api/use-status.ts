import { useEffect, useReducer } from 'react';
import { asApiError, currentSession, isConfined } from './client.ts';
import { TableHistory } from './table-history.ts';
import type { Problem, Session, Status, StatusSample } from './types.ts';

export type Connection = 'connecting' | 'live' | 'lost' | 'signed-out' | 'confined';

export interface LiveStatus {
  readonly connection: Connection;
  /** Who is signed in; null until that is known. */
  readonly session: Session | null;
  readonly status: Status | null;
  /** The hub answers but cannot read its own state. */
  readonly problem: Problem | null;
  readonly samples: readonly StatusSample[];
  readonly tables: TableHistory;
}

type Action =
  | { type: 'status'; status: Status }
  | { type: 'history'; samples: StatusSample[] }
  | { type: 'problem'; problem: Problem }
  | { type: 'connection'; connection: Connection }
  | { type: 'session'; session: Session | null };

const KEEP = 300;
const RETRY_MS = [500, 1000, 2000, 4000];

const nothing = (): LiveStatus => ({
  connection: 'connecting',
  session: null,
  status: null,
  problem: null,
  samples: [],
  tables: new TableHistory(),
});

function reduce(live: LiveStatus, action: Action): LiveStatus {
  switch (action.type) {
    case 'connection':
      return { ...live, connection: action.connection };
    case 'session': {
      const { session } = action;
      // What one user saw is not for the next.
      const kept = session?.user === live.session?.user ? live : nothing();
      if (!session) return { ...kept, session, connection: 'signed-out' };
      const open = kept.connection === 'signed-out' ? 'connecting' : kept.connection;
      return { ...kept, session, connection: isConfined(session) ? 'confined' : open };
    }
    case 'problem':
      return { ...live, connection: 'live', problem: action.problem };
    case 'history':
      return { ...live, connection: 'live', samples: action.samples.slice(-KEEP) };
    case 'status': {
      const { totals, at } = action.status;
      const sample = { ...totals, at: Date.parse(at) };
      if (live.samples.at(-1)?.at === sample.at) return { ...live, status: action.status, problem: null };
      live.tables.add(action.status);
      const samples = [...live.samples, sample].slice(-KEEP);
      return { ...live, connection: 'live', problem: null, status: action.status, samples };
    }
  }
}

/**
 * The status stream. Reconnects by itself with growing pauses, keeps what it last saw meanwhile, and
 * tells a lost connection from a missing sign-in and from a user who may not see it.
 */
export function useStatus(): LiveStatus & { retry: () => void } {
  const [live, dispatch] = useReducer(reduce, null, nothing);
  const [round, retry] = useReducer((count: number) => count + 1, 0);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is a new connection
  useEffect(() => {
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let failures = 0;
    let ended = false;
    const later = (): void => {
      dispatch({ type: 'connection', connection: 'lost' });
      timer = setTimeout(open, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
      failures += 1;
    };
    const open = async (): Promise<void> => {
      try {
        const session = await currentSession();
        if (ended) return;
        dispatch({ type: 'session', session });
        if (!session || isConfined(session)) return;
      } catch (error) {
        if (!ended && asApiError(error).code !== '') later();
        return;
      }
      source = new EventSource('/api/v1/status/stream');
      const on = <T>(name: string, take: (data: T) => void): void =>
        source?.addEventListener(name, (event) => {
          failures = 0;
          take(JSON.parse((event as MessageEvent<string>).data) as T);
        });
      on<StatusSample[]>('history', (samples) => dispatch({ type: 'history', samples }));
      on<Status>('status', (status) => dispatch({ type: 'status', status }));
      on<Problem>('problem', (problem) => dispatch({ type: 'problem', problem }));
      source.onerror = () => {
        source?.close();
        if (!ended) later();
      };
    };
    open();
    return () => {
      ended = true;
      clearTimeout(timer);
      source?.close();
    };
  }, [round]);

  return { ...live, retry };
}
