import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { z } from 'zod';
import { BoundedCache } from '../results/index.ts';

/** A file as Cube has translated it. */
export interface Translated {
  readonly content: string;
  readonly errors: readonly unknown[];
  readonly warnings: readonly unknown[];
}

const MAX_BYTES = 24 * 1024 * 1024;
const kept = z.array(z.tuple([z.string(), z.string()]));

/**
 * Translations without errors, by what was translated: in memory, the least recently used go first, and in a file for
 * the next process. A file that cannot be read or written costs their time and nothing else.
 */
export class Translations {
  readonly #known = new BoundedCache<string>(MAX_BYTES);
  readonly #file: string | null;
  readonly #tell: (error: unknown) => void;
  #read: boolean;
  #changed = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(file: string | null, tell: (error: unknown) => void) {
    this.#file = file;
    this.#tell = tell;
    this.#read = file === null;
  }

  get(key: string): Translated | undefined {
    if (!this.#read) this.#load();
    const content = this.#known.get(key);
    return content === undefined ? undefined : { content, errors: [], warnings: [] };
  }

  set(key: string, { content, errors, warnings }: Translated): void {
    if (errors.length > 0 || warnings.length > 0) return;
    this.#known.set(key, content, content.length);
    this.#changed = true;
  }

  /** Resolves when what is known is in the file. */
  save(): Promise<void> {
    const file = this.#file;
    if (file === null || !this.#changed) return this.#saving;
    this.#changed = false;
    this.#saving = this.#saving.then(async () => {
      try {
        const bytes = await promisify(gzip)(JSON.stringify([...this.#known.entries()]), { level: 1 });
        await mkdir(dirname(file), { recursive: true });
        await writeFile(`${file}.next`, bytes, { mode: 0o600 });
        await rename(`${file}.next`, file);
      } catch (error) {
        this.#tell(error);
      }
    });
    return this.#saving;
  }

  #load(): void {
    this.#read = true;
    try {
      const text = gunzipSync(readFileSync(this.#file!)).toString();
      for (const [key, content] of kept.parse(JSON.parse(text)))
        this.#known.set(key, content, content.length);
    } catch (error) {
      this.#tell(error);
    }
  }
}
