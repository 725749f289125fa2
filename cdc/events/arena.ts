const CHUNK = 1024 * 1024;

/**
 * Memory that encoded events of one batch lie in. `reserve` gives room in `buffer` from `at` on; what
 * was written before stays where it is until `reset`, which keeps the chunks for the next batch.
 */
export class Arena {
  buffer: Buffer = Buffer.allocUnsafeSlow(CHUNK);
  at = 0;
  readonly #full: Buffer[] = [];
  readonly #free: Buffer[] = [];

  /** Makes sure that `bytes` fit behind `at`. May switch `buffer`. */
  reserve(bytes: number): void {
    if (this.buffer.length - this.at >= bytes) return;
    if (this.buffer.length === CHUNK) this.#full.push(this.buffer);
    this.buffer =
      bytes > CHUNK ? Buffer.allocUnsafeSlow(bytes) : (this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK));
    this.at = 0;
  }

  /** Everything written is no longer needed. */
  reset(): void {
    this.#free.push(...this.#full.splice(0));
    if (this.buffer.length !== CHUNK) this.buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
    this.at = 0;
  }
}
