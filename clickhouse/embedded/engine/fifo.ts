import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { makeFifo } from './library.ts';

/**
 * A named pipe between this process's event loop and the engine's own file reading or writing, which
 * gives back-pressure both ways and needs no memory beyond the pipe's. Both ends are held open here,
 * so that the engine's open never waits and never sees an end before we say so.
 */
export class Fifo {
  readonly path: string;
  readonly #reading: number;
  readonly #writing: number;
  readonly #held: Set<number>;
  readonly #back: (reusable: boolean) => void;

  constructor(path: string, back: (reusable: boolean) => void) {
    this.path = path;
    this.#back = back;
    this.#reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#writing = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.#held = new Set([this.#reading, this.#writing]);
  }

  /** What the engine writes; ends after `endWriting`. The socket owns its end from now on. */
  readable(): Socket {
    this.#held.delete(this.#reading);
    return new Socket({ fd: this.#reading, readable: true, writable: false });
  }

  /** What the engine is to read; ending the socket is the end of the data. */
  writable(): Socket {
    this.#held.delete(this.#writing);
    return new Socket({ fd: this.#writing, readable: false, writable: true });
  }

  /** Closes our writing end: the reader ends once the engine has closed its own. */
  endWriting(): void {
    if (this.#held.delete(this.#writing)) closeSync(this.#writing);
  }

  /** Lets an engine go that has just come to open the pipe for reading and finds no writer. */
  nudge(): void {
    closeSync(openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK));
  }

  /** Gives the name back. `emptied`: all went well, so that nothing can be left in the pipe. */
  free(emptied: boolean): void {
    for (const fd of this.#held) closeSync(fd);
    this.#held.clear();
    this.#back(emptied);
  }
}

/** Named pipes of one folder; names are used again, for making one is a write to disk. */
export class Fifos {
  readonly #folder: string;
  readonly #free: string[] = [];
  #made = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  take(): Fifo {
    const path = this.#free.pop() ?? this.#make();
    return new Fifo(path, (reusable) => {
      if (reusable) this.#free.push(path);
      else rmSync(path, { force: true });
    });
  }

  #make(): string {
    this.#made += 1;
    const path = join(this.#folder, `pipe-${this.#made}`);
    makeFifo(path);
    return path;
  }
}
