import { userError } from '#kernel';
import { note } from './output.ts';

const LONGEST = 1024;

/**
 * A secret that must be in no argument: asked for on the terminal, unseen, and with `twice` once more;
 * or the first line of standard input where that is no terminal.
 */
export async function readSecret(prompt: string, twice = false): Promise<string> {
  if (!process.stdin.isTTY) return firstLine();
  const secret = await ask(prompt);
  if (twice && (await ask(`${prompt} again`)) !== secret)
    throw userError('PASSWORD_DIFFERS', 'The two are not the same.', 'Run the command again.');
  return secret;
}

async function firstLine(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk;
    if (text.includes('\n') || text.length > LONGEST) break;
  }
  const line = text.split(/\r?\n/, 1)[0]!;
  if (line === '')
    throw userError('PASSWORD_MISSING', 'There was no password on standard input.', 'Give it on one line.');
  return line;
}

/** Reads keys one by one, since a line editor would show them. */
async function ask(prompt: string): Promise<string> {
  const { stdin } = process;
  process.stderr.write(`${prompt}: `);
  stdin.setRawMode(true).setEncoding('utf8').resume();
  try {
    let typed = '';
    for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
      for (const letter of chunk as string) {
        if (letter === '\r' || letter === '\n') return typed;
        if (letter === '\u0003' || letter === '\u0004')
          throw userError('CANCELLED', 'Nothing was changed.', 'Run the command again.');
        if (letter === '\u007f' || letter === '\b') typed = [...typed].slice(0, -1).join('');
        else if (letter >= ' ' && typed.length < LONGEST) typed += letter;
      }
    }
    return typed;
  } finally {
    stdin.setRawMode(false).pause();
    note('');
  }
}
