import type { ClientBase, Pool } from 'pg';
import { HubError, parseYaml } from '#kernel';
import { type App, type AppFile, formatProblem, type Problem, parseApps } from '../definitions/index.ts';
import { revisionInForce, versionsInForce } from './store.ts';
import type { AppVersion, InForce } from './types.ts';

/**
 * The definitions in force. An app whose definition this hub's vocabulary no longer takes, or that refers
 * to such a one, is left out and named in `invalid`; it never takes the others with it.
 */
export async function loadInForce(pool: Pick<ClientBase | Pool, 'query'>): Promise<InForce> {
  const revision = await revisionInForce(pool);
  const versions = await versionsInForce(pool);
  const files = new Map(versions.map((version) => [shownFile(version), version]));
  const invalid = new Map<string, string>();
  for (;;) {
    try {
      const apps = parseApps([...files].map(([file, { yaml }]) => ({ file, content: yaml })));
      return { revision, apps, versions, invalid };
    } catch (thrown) {
      const problems = problemsOf(thrown);
      const wrong = new Set(problems.map((problem) => problem.file).filter((file) => files.has(file)));
      if (wrong.size === 0) throw thrown;
      for (const file of wrong) {
        const own = problems.filter((problem) => problem.file === file).map(formatProblem);
        invalid.set(files.get(file)!.app, own.join('\n'));
        files.delete(file);
      }
    }
  }
}

/** How errors name the text of an app in force. */
const shownFile = (version: AppVersion): string => `${version.app}/app.yaml (version ${version.version})`;

function problemsOf(thrown: unknown): readonly Problem[] {
  if (!(thrown instanceof HubError) || thrown.code !== 'APP_INVALID') throw thrown;
  return thrown.details.problems as readonly Problem[];
}

export interface Candidate {
  /** All apps there would be. */
  readonly apps: readonly App[];
  /** Those given, each with the text it came from. */
  readonly given: readonly { readonly app: App; readonly file: AppFile }[];
}

/**
 * The given files together with the apps in force; a file takes the place of the app of its name.
 * Errors: APP_INVALID (user) with every problem and its place, also where another app no longer fits.
 */
export function candidate(inForce: InForce, files: readonly AppFile[]): Candidate {
  const replaced = new Set(files.map(nameIn));
  const others = inForce.versions.filter(({ app }) => !replaced.has(app) && !inForce.invalid.has(app));
  const apps = parseApps([
    ...others.map((version) => ({ file: shownFile(version), content: version.yaml })),
    ...files,
  ]);
  const byFile = new Map(files.map((file) => [file.file, file]));
  const given = apps.flatMap((app) => {
    const file = byFile.get(app.file);
    return file ? [{ app, file }] : [];
  });
  return { apps, given };
}

/** Name of the app a file defines; undefined where the file is too broken to tell: its checks name the place. */
export function nameIn({ file, content }: AppFile): unknown {
  const { value } = parseYaml(file, content);
  return (value as { app?: { name?: unknown } } | null | undefined)?.app?.name;
}
