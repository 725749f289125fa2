/** The part of Dockerfiles that ours uses. Whatever else stands in one is refused, never passed over. */
export interface Instruction {
  readonly name: string;
  /** `--from=web` as `{ from: 'web' }`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly text: string;
}

const KNOWN = /^(FROM|ARG|ENV|WORKDIR|COPY|RUN|USER|EXPOSE|STOPSIGNAL|HEALTHCHECK|ENTRYPOINT|CMD)\s+(.*)$/s;

export function parseDockerfile(text: string): Instruction[] {
  return text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, rest] = KNOWN.exec(line.trim()) ?? [];
      if (name === undefined || rest === undefined) throw new Error(`unknown instruction: ${line}`);
      const flags: Record<string, string> = {};
      const words = rest.split(/\s+/);
      while (words[0]?.startsWith('--')) {
        const [, key, value] = /^--([a-z-]+)=(.*)$/.exec(words.shift()!) ?? [];
        if (key === undefined || value === undefined) throw new Error(`unknown flag: ${line}`);
        flags[key] = value;
      }
      return { name, flags, text: words.join(' ') };
    });
}

/** `A=b C=d` (no spaces in values). */
export const assignments = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split(/\s+/).map((pair) => {
      const [key, ...value] = pair.split('=');
      return [key!, value.join('=')];
    }),
  );

/** A predicate over paths relative to the context. Knows everything at first, then kept paths, names and suffixes at any depth. */
export function parseIgnore(text: string): (path: string) => boolean {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (lines.shift() !== '*') throw new Error('expected to begin with everything ignored');
  const kept: string[] = [];
  const dropped: ((name: string) => boolean)[] = [];
  for (const line of lines) {
    if (line.startsWith('!')) kept.push(line.slice(1));
    else if (line.startsWith('**/*')) dropped.push((name) => name.endsWith(line.slice(4)));
    else if (line.startsWith('**/')) dropped.push((name) => name === line.slice(3));
    else throw new Error(`unknown pattern: ${line}`);
  }
  return (path) => {
    const inside = kept.some((keep) => path === keep || path.startsWith(`${keep}/`));
    return !inside || path.split('/').some((name) => dropped.some((drop) => drop(name)));
  };
}
