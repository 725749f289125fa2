import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { makeFifo } from './library.ts';

let made = 0;

/**
 * A named pipe between this process's event loop and the engine's own file reading or writing, which
 * gives back-pressure both ways and needs no memory beyond the pipe's. Both ends are held open here,
 * so that the engine's open never waits and never sees an end before we say so.
 */
export class Fifo {
  readonly path: string;
  readonly #reading: number;
  readonly #writing: number;
  #open = new Set<number>();

  constructor(folder: string) {
    made += 1;
    this.path = join(folder, `pipe-${made}`);
    makeFifo(this.path);
    this.#reading = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#writing = openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.#open = new Set([this.#reading, this.#writing]);
  }

  /** What the engine writes; ends after `endWriting`. The socket owns its end from now on. */
  readable(): Socket {
    this.#open.delete(this.#reading);
    return new Socket({ fd: this.#reading, readable: true, writable: false });
  }

  /** What the engine is to read; ending the socket is the end of the data. */
  writable(): Socket {
    this.#open.delete(this.#writing);
    return new Socket({ fd: this.#writing, readable: false, writable: true });
  }

  /** Closes our writing end: the reader ends once the engine has closed its own. */
  endWriting(): void {
    if (this.#open.delete(this.#writing)) closeSync(this.#writing);
  }

  /** Closes what was not handed out and removes the name. */
  remove(): void {
    for (const fd of this.#open) closeSync(fd);
    this.#open.clear();
    rmSync(this.path, { force: true });
  }
}
