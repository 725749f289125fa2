import { closeSync, type FSWatcher, openSync, watch, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '#kernel';

const FILE = 'doorbell';
const ONE = Buffer.from([1]);

/** Rings for every process that listens on the same folder: a write the operating system reports. */
export interface Bell {
  ring(): void;
  close(): void;
}

export function openBell(dir: string): Bell {
  const file = openSync(join(dir, FILE), 'a');
  closeSync(file);
  const fd = openSync(join(dir, FILE), 'r+');
  return {
    ring: () => {
      writeSync(fd, ONE, 0, 1, 0);
    },
    close: () => closeSync(fd),
  };
}

/**
 * Calls `heard` after every ring of any process (several rings may give one call), and once every
 * `safetyMs` in case the system dropped an event or cannot watch files at all.
 */
export function listen(dir: string, safetyMs: number, logger: Logger, heard: () => void): () => void {
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(join(dir, FILE), heard);
    watcher.on('error', (error) => logger.warn({ err: error }, 'the log cannot watch its folder; it polls'));
  } catch (error) {
    logger.warn({ err: error }, 'the log cannot watch its folder; it polls');
  }
  const safety = setInterval(heard, safetyMs);
  safety.unref();
  return () => {
    clearInterval(safety);
    watcher?.close();
  };
}
