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
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let typed = '';
  const take = (keys: string): void => {
    for (const key of keys) {
      if (key === '\r' || key === '\n') resolve(typed);
      else if (key === '\u0003' || key === '\u0004')
        reject(userError('CANCELLED', 'Nothing was changed.', 'Run the command again.'));
      else if (key === '\u007f' || key === '\b') typed = [...typed].slice(0, -1).join('');
      else if (key >= ' ' && typed.length < LONGEST) typed += key;
    }
  };
  // Before the prompt, or what is typed ahead is shown.
  stdin.setRawMode(true).setEncoding('utf8').on('data', take).resume();
  process.stderr.write(`${prompt}: `);
  try {
    return await promise;
  } finally {
    stdin.off('data', take).setRawMode(false).pause();
    note('');
  }
}
