import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { assignments, parseDockerfile, parseIgnore } from './dockerfile.ts';

/** What a build would leave: the tree above the base image, and how a container is started from it. */
export interface EmulatedImage {
  readonly dir: string;
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

interface Stage {
  readonly root: string;
  workdir: string;
}

/**
 * Carries out a Dockerfile's steps in a temporary folder, without a container engine: each stage is a
 * folder, RUN runs in it with this machine's tools, and so may name only paths relative to WORKDIR.
 * The base image's own files are not there. Removing `dir` is the caller's job.
 */
export function emulateBuild(options: {
  readonly context: string;
  readonly dockerfile: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly env: NodeJS.ProcessEnv;
}): EmulatedImage {
  const dir = mkdtempSync(join(tmpdir(), 'bac-image-'));
  chmodSync(dir, 0o755);
  const ignored = parseIgnore(readFileSync(`${options.dockerfile}.dockerignore`, 'utf8'));
  const stages = new Map<string, Stage>();
  const values: Record<string, string> = {};
  const image = {
    env: {} as Record<string, string>,
    user: 'root',
    entrypoint: [''],
    command: [''],
    healthcheck: [''],
  };
  let stage: Stage | null = null;
  const fill = (text: string): string =>
    text.replace(/\$\{(\w+)\}/g, (_, name: string) => {
      if (values[name] === undefined) throw new Error(`${name} is not set`);
      return values[name];
    });
  const at = (): Stage => {
    if (!stage) throw new Error('no stage yet');
    return stage;
  };
  const inStage = (path: string): string =>
    path.startsWith('/') ? join(at().root, path) : join(at().root, at().workdir, path);

  for (const { name, flags, text } of parseDockerfile(readFileSync(options.dockerfile, 'utf8'))) {
    switch (name) {
      case 'FROM': {
        const [, alias = `stage-${stages.size}`] = text.split(/\s+AS\s+/i);
        stage = { root: join(dir, alias), workdir: '/' };
        mkdirSync(stage.root);
        stages.set(alias, stage);
        break;
      }
      case 'ARG':
        for (const [key, value] of Object.entries(assignments(text)))
          values[key] ??= options.args?.[key] ?? value;
        break;
      case 'ENV':
        Object.assign(image.env, assignments(text));
        break;
      case 'WORKDIR':
        at().workdir = text;
        mkdirSync(inStage(text), { recursive: true });
        break;
      case 'COPY': {
        const words = text.split(' ');
        const to = words.pop()!;
        const from = flags.from === undefined ? null : stages.get(flags.from)!.root;
        for (const source of words) {
          const into = to.endsWith('/') || words.length > 1;
          const target = into ? join(inStage(to), basename(source)) : inStage(to);
          const path = from === null ? join(options.context, source) : join(from, source);
          const skip = (file: string): boolean => from === null && ignored(relative(options.context, file));
          if (skip(path)) throw new Error(`COPY ${source}: it is in the ignore file`);
          mkdirSync(dirname(target), { recursive: true });
          cpSync(path, target, { recursive: true, verbatimSymlinks: true, filter: (file) => !skip(file) });
          if (flags.chmod) chmodSync(target, Number.parseInt(flags.chmod, 8));
          if (flags.chown && process.getuid?.() === 0) {
            const [uid, gid] = flags.chown.split(':').map(Number);
            chownSync(target, uid!, gid!);
          }
        }
        break;
      }
      case 'RUN': {
        const done = spawnSync('sh', ['-eu', '-c', fill(text)], {
          cwd: inStage('.'),
          env: options.env,
          encoding: 'utf8',
        });
        if (done.status !== 0) throw new Error(`RUN ${text}\n${done.stdout}${done.stderr}`);
        break;
      }
      case 'USER':
        image.user = text;
        break;
      case 'HEALTHCHECK':
        image.healthcheck = JSON.parse(/CMD (\[.*\])/.exec(text)![1]!) as string[];
        break;
      case 'ENTRYPOINT':
        image.entrypoint = JSON.parse(text) as string[];
        break;
      case 'CMD':
        image.command = JSON.parse(text) as string[];
        break;
      default: // EXPOSE, STOPSIGNAL: nothing to do
    }
  }
  return { dir, root: at().root, ...image };
}

/** Bytes of all files below a path. */
export function sizeOf(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).size;
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + lstatSync(join(entry.parentPath, entry.name)).size, 0);
}
