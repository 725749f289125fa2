import { type ChangeLog, controlBatch } from '#kernel';

/** Tells on the control topic whose stored rows have changed. What comes while one message is written shares the next. */
export class Told {
  readonly #log: ChangeLog;
  readonly #topics = new Set<string>();
  #reshaped = false;
  #under: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(log: ChangeLog) {
    this.#log = log;
  }

  /** Resolves when the message is durable. */
  tell(topic: string, reshaped: boolean): Promise<void> {
    this.#topics.add(topic);
    this.#reshaped ||= reshaped;
    this.#next ??= this.#under.then(() => this.#write());
    return this.#next;
  }

  async #write(): Promise<void> {
    const topics = [...this.#topics];
    const reshaped = this.#reshaped;
    this.#topics.clear();
    this.#reshaped = false;
    this.#next = null;
    const message = { type: 'stored', topics, ...(reshaped ? { reshaped } : {}) } as const;
    const written = this.#log.append([controlBatch(message)]);
    this.#under = written.catch(() => {}); // who waits for it is told
    await written;
  }
}
