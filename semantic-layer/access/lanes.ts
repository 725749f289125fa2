import { HubError } from '#kernel';

interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}

export interface Lanes {
  /** Resolves when it is one's turn; the function given back ends it, once. Rejects with the signal's reason. */
  enter(name: string, signal: AbortSignal | undefined): Promise<() => void>;
}

/** For each name so many at once, and so many more that wait, first come first served. */
export function createLanes(limits: { readonly concurrency: number; readonly queue: number }): Lanes {
  const lanes = new Map<string, Lane>();

  const leaving = (name: string, lane: Lane): (() => void) => {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const next = lane.waiting.shift();
      if (next) return next();
      lane.running -= 1;
      if (lane.running === 0) lanes.delete(name);
    };
  };

  return {
    async enter(name, signal) {
      signal?.throwIfAborted();
      const lane = lanes.get(name) ?? { running: 0, waiting: [] };
      lanes.set(name, lane);
      if (lane.running < limits.concurrency) {
        lane.running += 1;
        return leaving(name, lane);
      }
      if (lane.waiting.length >= limits.queue)
        throw new HubError(
          'QUERY_REFUSED',
          `${limits.concurrency} questions of yours run and ${limits.queue} wait.`,
          {
            next: 'Wait until some of them are answered.',
            disposition: 'user',
            details: { limit: 'semantic.concurrency', allowed: limits.concurrency, waiting: limits.queue },
          },
        );
      const turn = Promise.withResolvers<void>();
      const give = (): void => turn.resolve();
      const giveUp = (): void => {
        const at = lane.waiting.indexOf(give);
        if (at < 0) return; // it is one's turn already
        lane.waiting.splice(at, 1);
        turn.reject(signal?.reason);
      };
      lane.waiting.push(give);
      signal?.addEventListener('abort', giveUp, { once: true });
      try {
        await turn.promise;
      } finally {
        signal?.removeEventListener('abort', giveUp);
      }
      return leaving(name, lane);
    },
  };
}
