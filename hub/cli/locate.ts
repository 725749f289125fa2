import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { userError } from '#kernel';

/** `hub.json` in the state folder, as `bac up` writes it. */
const hubFile = z.looseObject({
  pid: z.number(),
  addresses: z.looseObject({ http: z.string() }),
});

export interface Target {
  readonly url: string;
  readonly key: string;
}

export interface LocateOptions {
  readonly url?: string;
  readonly key?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Where the hub is: `--url`/BAC_URL with `--key`/BAC_KEY, else the state folder (BAC_STATE_DIR, else
 * `.bac` here or in a folder above). HUB_NOT_RUNNING (user) if there is none.
 */
export function locateHub(options: LocateOptions = {}): Target {
  const env = options.env ?? process.env;
  const folder = stateFolder(options.cwd ?? process.cwd(), env);
  const url = options.url ?? env.BAC_URL;
  const key = options.key ?? env.BAC_KEY;
  if (url !== undefined) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw userError(
        'URL_INVALID',
        `"${url}" is not the URL of a hub.`,
        'Give one like http://127.0.0.1:7400.',
      );
    }
    if (key === undefined) {
      throw userError('KEY_MISSING', 'A hub given by URL needs an API key.', 'Add --key KEY or set BAC_KEY.');
    }
    return { url: new URL(url).origin, key };
  }
  const file = folder && join(folder, 'hub.json');
  if (!folder || !file || !existsSync(file)) throw notRunning();
  const parsed = hubFile.safeParse(readJson(file));
  if (!parsed.success || !alive(parsed.data.pid)) throw notRunning();
  return { url: new URL(parsed.data.addresses.http).origin, key: key ?? readKey(folder) };
}

/** The state folder: named, or the nearest `.bac` from `cwd` upwards. */
function stateFolder(cwd: string, env: Readonly<Record<string, string | undefined>>): string | null {
  if (env.BAC_STATE_DIR) return resolve(cwd, env.BAC_STATE_DIR);
  for (let at = resolve(cwd); ; at = dirname(at)) {
    if (existsSync(join(at, '.bac', 'hub.json'))) return join(at, '.bac');
    if (dirname(at) === at) return null;
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Being rewritten, or cut off by a crash: either way there is no hub to be found through it.
    return null;
  }
}

function readKey(folder: string): string {
  try {
    return readFileSync(join(folder, 'key'), 'utf8').trim();
  } catch {
    throw userError('KEY_MISSING', `The key in ${folder} cannot be read.`, 'Give one with --key or BAC_KEY.');
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}

export const notRunning = (): Error =>
  userError(
    'HUB_NOT_RUNNING',
    'No hub is running here.',
    'Start one with `./bac up`, or name one with --url.',
  );
