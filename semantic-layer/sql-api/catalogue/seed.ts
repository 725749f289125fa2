import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#kernel';

/**
 * An empty PostgreSQL as catalogues start from it: made by the first of them, kept in memory and, given a folder,
 * for the next process. One whose file cannot be written is made anew by each process.
 */
export class Seed {
  readonly #folder: string | null;
  readonly #log: Logger;
  #bytes: Uint8Array | null = null;
  #read: Promise<void> | null = null;

  constructor(folder: string | null, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  async bytes(): Promise<Uint8Array | null> {
    this.#read ??= this.#load();
    await this.#read;
    return this.#bytes;
  }

  async keep(bytes: Uint8Array): Promise<void> {
    this.#bytes = bytes;
    if (this.#folder === null) return;
    try {
      await mkdir(this.#folder, { recursive: true });
      const file = await this.#file(this.#folder);
      const beside = `${file}.${randomUUID()}`;
      await writeFile(beside, bytes, { mode: 0o600 });
      await rename(beside, file);
    } catch (error) {
      this.#log.warn({ err: error }, 'the SQL API’s empty catalogue could not be kept');
    }
  }

  unusable(reason: string): void {
    this.#bytes = null;
    this.#log.warn({ reason }, 'the SQL API’s empty catalogue is made anew');
  }

  async #load(): Promise<void> {
    if (this.#folder === null) return;
    try {
      this.#bytes = await readFile(await this.#file(this.#folder));
    } catch (error) {
      this.#log.debug({ err: error }, 'no empty catalogue is kept yet: the first one makes it');
    }
  }

  /** Of this very build of PostgreSQL. */
  async #file(folder: string): Promise<string> {
    const { size, mtimeMs } = await stat(
      new URL('./pglite.wasm', import.meta.resolve('@electric-sql/pglite')),
    );
    return join(folder, `catalogue-${size.toString(36)}-${Math.round(mtimeMs).toString(36)}.tar.gz`);
  }
}
