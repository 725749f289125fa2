import type { Logger } from '#kernel';

/** How `bac up` tells a person what happens: one line per fact, the current step redrawn on a terminal. */
export interface Reporter {
  line(text: string): void;
  /** A step under way; on a terminal it replaces the previous progress line. */
  progress(what: string, detail: string): void;
  /** A step is done; keeps its line. */
  done(what: string, detail: string): void;
}

/** The same as structured log lines, for a container: its standard output is the log. */
export function loggingReporter(logger: Logger): Reporter {
  let last = '';
  return {
    line(text) {
      if (text.trim() !== '') logger.info(text.trim());
    },
    progress(step, detail) {
      if (step === last) return;
      last = step;
      logger.info({ step }, detail);
    },
    done: (step, detail) => logger.info({ step }, detail),
  };
}

export function terminalReporter(out: NodeJS.WriteStream): Reporter {
  const tty = out.isTTY === true;
  let open = false;
  let lastQuiet = '';
  const clear = (): void => {
    if (open) out.write('\r\x1b[2K');
    open = false;
  };
  const format = (what: string, detail: string): string => `  ${what.padEnd(12)} ${detail}`;
  return {
    line(text) {
      clear();
      out.write(`${text}\n`);
    },
    progress(what, detail) {
      if (tty) {
        clear();
        out.write(format(what, detail));
        open = true;
      } else if (lastQuiet !== what) {
        lastQuiet = what;
        out.write(`${format(what, detail)}\n`);
      }
    },
    done(what, detail) {
      clear();
      out.write(`${format(what, detail)}\n`);
    },
  };
}

export const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;
export const movedNote = (moved: boolean, wanted: number): string => (moved ? `; ${wanted} was taken` : '');
