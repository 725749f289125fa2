import type { ServerResponse } from 'node:http';
import type { Client } from '#apps';

/** Whoever waits for the answer to a request. */
export class Waiting implements Client {
  readonly #raw: ServerResponse;
  #abort: AbortController | null = null;
  #left = false;

  constructor(raw: ServerResponse) {
    this.#raw = raw;
  }

  get gone(): boolean {
    return this.#left || (this.#raw.destroyed && !this.#raw.writableFinished);
  }

  onGone(then: () => void): () => void {
    const raw = this.#raw;
    const closed = (): void => {
      if (!raw.writableFinished) then();
    };
    raw.once('close', closed);
    return () => raw.off('close', closed);
  }

  /** The server ends the answer itself: as if the client had gone, for who asked for the signal. */
  leave(): void {
    this.#left = true;
    this.#abort?.abort();
  }

  /** The same as a signal, made when it is first asked for. */
  get signal(): AbortSignal {
    if (!this.#abort) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.gone) abort.abort();
      else this.onGone(() => abort.abort());
    }
    return this.#abort.signal;
  }
}
