/** How `bac up` tells a person what happens: one line per fact, the current step redrawn on a terminal. */
export interface Reporter {
  line(text: string): void;
  /** A step under way; on a terminal it replaces the previous progress line. */
  progress(what: string, detail: string): void;
  /** A step is done; keeps its line. */
  done(what: string, detail: string): void;
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
